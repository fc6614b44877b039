"""Runs the command line in a process of its own, as a user does."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

from scaffold.__main__ import main
from tests.fork_server import end_as

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


def forked_scaffold(
    *arguments: str | Path, cwd: Path, stdin: str | None = None, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run `scaffold` in a fork of this process, which has imported everything; otherwise as `scaffold` does.

    For tests of what a command does, not of how its process starts.
    """
    with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        given.write((stdin or "").encode())
        given.seek(0)
        child = os.fork()
        if child == 0:
            for number, stream in enumerate((given, output, errors)):
                os.dup2(stream.fileno(), number)
            become_scaffold(arguments, cwd, {**os.environ, **environment})
        _, status = os.waitpid(child, 0)
        said = []
        for stream in (output, errors):
            stream.seek(0)
            said.append(stream.read().decode("utf-8", "surrogateescape"))
    return subprocess.CompletedProcess(arguments, os.waitstatus_to_exitcode(status), *said)


def become_scaffold(arguments: Sequence[str | Path], cwd: Path, environment: Mapping[str, str]) -> NoReturn:
    """In a fork: run the command line with the standard streams 0, 1 and 2, and end the fork."""

    def program() -> Any:
        gc.freeze()  # What the parent process has open is not closed here.
        sys.stdin, sys.stdout, sys.stderr = (
            os.fdopen(number, mode, encoding="utf-8") for number, mode in enumerate("rww")
        )
        tempfile.tempdir = None
        os.chdir(cwd)
        os.environ.clear()
        os.environ.update(environment)
        sys.argv = ["scaffold", *map(os.fspath, arguments)]
        return main()

    end_as(program)


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
