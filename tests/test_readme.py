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
# The least that a terminal gives: no colours, no UTF-8, 80 by 24. The rest is as on a new machine.
TERMINAL = {"TERM": "dumb", "LANG": "C", "COLUMNS": "80", "LINES": "24"}
KEPT = ("PYTHONPATH", "TMPDIR", "XDG_RUNTIME_DIR")
AUTHOR = "git config --global user.name Reader; git config --global user.email reader@example.com\n"


def shell_blocks(document: Path) -> list[str]:
    """The blocks of a Markdown document marked `sh`, in their order."""
    return re.findall(r"^```sh\n(.*?)^```$", document.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)


def run_inside_local_aws(script: str, directory: Path) -> subprocess.CompletedProcess[str]:
    home = directory.parent / "home"
    home.mkdir()
    kept = {name: os.environ[name] for name in KEPT if name in os.environ}
    # Builds would need the npm registry.
    return subprocess.run(
        [BIN / "scaffold", "local", "--no-run", "--", "bash", "-euo", "pipefail", "-c", script],
        cwd=directory,
        env={**kept, **TERMINAL, "HOME": str(home), "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}"},
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
    done = run_inside_local_aws(AUTHOR + "\n".join(blocks), checkout)

    assert done.returncode == 0, done.stdout + done.stderr
    assert "USD" in done.stdout
    assert "\x1b" not in re.sub(r"(?m)^.*(create|identical|overwrite).*$", "", done.stderr)  # Copier's own
    assert done.stdout.count("is deployed to local AWS") >= 3
