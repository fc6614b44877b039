"""Podman for an ordinary user."""

from __future__ import annotations

import json
import os
import pwd
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.engine.containers.conftest import missing

# Made by `.ci/run`, with ranges of subordinate ids.
USER = "scaffold-tests"
ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that the ordinary user can enter, which those of pytest are not."""
    made = Path(tempfile.mkdtemp(prefix="ordinary-"))
    made.chmod(0o755)
    yield made
    shutil.rmtree(made)


def ordinary_user() -> list[str]:
    """The command that runs another one as an ordinary user."""
    if os.geteuid() != 0:
        return []
    try:
        pwd.getpwnam(USER)
    except KeyError:
        missing(f"the tests run as root, and there is no user {USER}")
    return ["setpriv", f"--reuid={USER}", f"--regid={USER}", "--init-groups", "--"]


def python_for(prefix: list[str]) -> str:
    """A Python that the user can start, in a user namespace too: that of the tests may be in root's home."""
    for program in ("/usr/bin/python3", sys.executable):
        check = [*prefix, program, "-c", "import sys; sys.exit(sys.version_info < (3, 11))"]
        if Path(program).exists() and subprocess.run(check, capture_output=True, cwd="/", check=False).returncode == 0:
            return program
    return missing("the ordinary user can start no Python")


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_podman_for_an_ordinary_user(base: Path, folder: Path) -> None:
    prefix = ordinary_user()
    program = python_for(prefix)
    shutil.copytree(ROOT / "scaffold", folder / "scaffold", ignore=shutil.ignore_patterns("__pycache__", "kit.bundle"))
    shutil.copy(ROOT / "tests/engine/containers/as_ordinary_user.py", folder / "script.py")
    shutil.copy(base, folder / "base.tar")
    (folder / "work").mkdir()
    if prefix:
        shutil.chown(folder / "work", USER, USER)
    done = subprocess.run(
        [*prefix, program, "-B", folder / "script.py", folder / "work", folder / "base.tar"],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(folder), "HOME": str(folder / "work")},
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    answer = {"user": 1000, "interfaces": ["lo"]}
    assert found["said"] == [{}, {"health": "HEALTHY"}, answer, {"exited": 0}, "stopping\n"]
    assert (sorted(found["left"]), found["mounted"]) == (["Dockerfile", "main.js"], False)
