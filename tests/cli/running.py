"""Runs the command line in a process of its own, as a user does."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# What the installed `scaffold` does; `-m` would put the current folder on the path.
COMMAND = [
    sys.executable,
    # As in an installed command, the current folder is not searched for modules.
    "-P",
    "-c",
    "import sys; from scaffold.__main__ import main; sys.argv[0] = 'scaffold'; sys.exit(main())",
]


def scaffold(
    *arguments: str | Path, cwd: Path, stdin: str | None = None, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run `scaffold` and return its exit code and output.

    Args:
        arguments: The command line.
        stdin: Text for stdin, which is never a terminal; empty by default.
        environment: Variables to set.
    """
    return subprocess.run(
        [*COMMAND, *map(os.fspath, arguments)],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        input=stdin or "",
        capture_output=True,
        text=True,
        encoding="utf-8",
        errors="surrogateescape",
        timeout=120,
        check=False,
    )


def assert_refused(done: subprocess.CompletedProcess[str], code: int, *words: str) -> None:
    """Check the exit code, the two sentences (what happened, what to do), and that there is no traceback."""
    assert done.returncode == code, (done.returncode, done.stdout, done.stderr)
    lines = done.stderr.splitlines()
    assert len(lines) == 2, done.stderr
    assert lines[0].startswith("Error: ")
    assert len(lines[0]) > len("Error: ")
    assert lines[1].startswith("  ")
    assert lines[1].strip()
    assert "Traceback" not in done.stderr + done.stdout
    for word in words:
        assert word in done.stderr, (word, done.stderr)
