#!/usr/bin/env python3
"""Stop a source with secrets, dangerous code or vulnerable dependencies, before anything of it runs.

    source_gate.py

Installs the tools of config/tools/ from their lock file, then runs each of the npm scripts CHECKS there. All of them
run, so that a log has all findings. The tools and their exceptions are in config/, which the merge gate compares: no
file elsewhere changes how it is judged. Exit codes: 0 open, 1 closed by a check, 3 closed because the tools cannot be
installed or the files cannot be read.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from aws_cli import Problem
from source_files import ROOT, refuse_link

OPEN, CLOSED, CLOSED_UNJUDGED = 0, 1, 3
TOOLS = "config/tools"
CHECKS = ("secrets", "sast", "audit")
INSTALL_SECONDS, CHECK_SECONDS = 300, 300
# Comments with this word turn the search for secrets off, and the tool has no option against it.
HIDES = b"secretlint-" + b"disable"
SKIPPED = {".git", ".tools", "node_modules"}


def npm(*words: str, seconds: int) -> int:
    """Run npm in the folder of the tools, and return its exit code.

    Raises:
        Problem: It is not installed, or does not end in time.
    """
    command = ["npm", "--prefix", TOOLS, *words]
    # The secrets of the build are for steps of the Dockerfile.
    secrets = {"BUILD_SECRETS", *os.environ.get("BUILD_SECRETS", "").split()}
    environment = {name: value for name, value in os.environ.items() if name not in secrets}
    try:
        return subprocess.run(
            command, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, timeout=seconds, check=False
        ).returncode
    except FileNotFoundError as error:
        raise Problem("npm is not installed; install Node.js 22 or later") from error
    except subprocess.TimeoutExpired as error:
        raise Problem(f"`npm {' '.join(words)}` did not end within {seconds} s; retry the stage") from error


def hiding() -> Iterator[Path]:
    """The files with comments that turn the search for secrets off."""
    for folder, folders, files in os.walk(ROOT):
        folders[:] = sorted(set(folders) - SKIPPED)
        for path in (Path(folder, name) for name in sorted(files)):
            if path.is_file() and not path.is_symlink() and HIDES in path.read_bytes():
                yield path.relative_to(ROOT)


def judge() -> list[str]:
    """The checks that stop this source.

    Raises:
        Problem: They could not run.
    """
    refuse_link(TOOLS)
    # The tools need no install scripts, which could run anything.
    if npm("ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error", seconds=INSTALL_SECONDS):
        raise Problem(f"`npm ci` cannot install the tools of {TOOLS}, so that nothing was checked; retry the stage")
    failed = [check for check in CHECKS if npm("run", "--silent", check, seconds=CHECK_SECONDS)]
    hidden = list(hiding())
    for path in hidden:
        print(f"{path} has a comment that turns the search for secrets off; only {TOOLS}/secrets.ignore may.")
    return failed if not hidden or "secrets" in failed else ["secrets", *failed]


def main() -> int:
    try:
        failed = judge()
    except (Problem, OSError) as problem:
        print(f"Source gate closed: {problem}.", file=sys.stderr)
        return CLOSED_UNJUDGED
    if failed:
        print(
            f"Source gate closed: the {'check' if len(failed) == 1 else 'checks'} {', '.join(failed)} failed, as said "
            'above; correct the source, or except a finding as "What stops a source" in README.md says.',
            file=sys.stderr,
        )
        return CLOSED
    print(f"Source gate open: {', '.join(CHECKS)}.")
    return OPEN


if __name__ == "__main__":
    sys.exit(main())
