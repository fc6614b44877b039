"""A local AWS with podman that is killed at work: the next one removes what is left."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

import pytest

from scaffold.engine.containers.choice import PODMAN
from scaffold.local.environment import local_aws
from tests.engine.containers import server_image
from tests.engine.containers.killed_local_aws import commands

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.mark.parametrize("engine_name", [PODMAN], indirect=True)
@pytest.mark.parametrize("moment", ["building", "starting"])
@pytest.mark.usefixtures("engine_name")
def test_the_next_start_removes_what_was_killed_at_work(
    moment: str, base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    mark = f"endless-{os.getpid()}-{moment}"
    done = subprocess.run(
        [sys.executable, "-m", "tests.engine.containers.killed_local_aws", moment, base, mark],
        env={**os.environ, "TMPDIR": str(tmp_path), "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == -9, done.stderr
    (left,) = tmp_path.iterdir()
    with local_aws():
        assert not left.exists()
    assert not {mark, server_image.PROGRAM} & commands()
    assert processes_with(str(left)) == []
    assert str(tmp_path) not in Path("/proc/self/mountinfo").read_text()
    assert list(tmp_path.glob("gitops-scaffold-*")) == []


def processes_with(folder: str) -> list[str]:
    """The processes that use a folder by their arguments, environment or mounts."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            about = b"".join((process / name).read_bytes() for name in ("cmdline", "environ", "mountinfo"))
            if folder.encode() in about:
                found.append(about.decode(errors="replace"))
    return found
