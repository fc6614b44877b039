"""Runs the commands of the README in their order, as a reader would."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.kits import ROOT

BIN = Path(sys.executable).parent
READER = {
    f"GIT_{role}_{field}": value
    for role in ("AUTHOR", "COMMITTER")
    for field, value in (("NAME", "Reader"), ("EMAIL", "reader@example.com"))
}


def shell_blocks(document: Path) -> list[str]:
    """The blocks of a Markdown document marked `sh`, in their order."""
    return re.findall(r"^```sh\n(.*?)^```$", document.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)


def run_inside_local_aws(script: str, directory: Path) -> subprocess.CompletedProcess[str]:
    # Builds would need the npm registry.
    return subprocess.run(
        [BIN / "scaffold", "local", "--no-run", "--", "bash", "-euo", "pipefail", "-c", script],
        cwd=directory,
        env={**os.environ, **READER, "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        timeout=560,
        check=False,
    )


def test_the_two_commands_come_first() -> None:
    assert shell_blocks(ROOT / "README.md")[0] == "make demo\nmake test\n"


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_every_command_of_the_readme_works_in_order(tmp_path: Path) -> None:
    blocks = shell_blocks(ROOT / "README.md")[1:]
    assert len(blocks) >= 8

    # $PWD of the reader is the checkout; with .venv/bin linked, so that a test runs in whatever environment it is in.
    checkout = tmp_path / "checkout"
    subprocess.run(["git", "clone", "--quiet", ROOT, checkout], check=True)
    (checkout / ".venv").mkdir()
    (checkout / ".venv" / "bin").symlink_to(BIN)
    done = run_inside_local_aws("\n".join(blocks), checkout)

    assert done.returncode == 0, done.stdout + done.stderr
    assert "USD" in done.stdout
    assert done.stdout.count("is deployed to local AWS") >= 3
