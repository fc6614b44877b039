#!/usr/bin/env python3
"""Stop a source with secrets, dangerous code or vulnerable dependencies, before anything of it runs.

    source_gate.py

Installs the tools of config/tools/ from their lock file, then runs the npm scripts CHECKS there side by side, as npm
does but without its start. All of them run, so that a log has all findings. The tools and their exceptions are in
config/, which the merge gate compares: no file elsewhere changes how it is judged. Exit codes: 0 open, 1 closed by a
check, 3 closed because the tools cannot be installed or the files cannot be read.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

from aws_cli import Problem
from source_files import ROOT, refuse_link, text

OPEN, CLOSED, CLOSED_UNJUDGED = 0, 1, 3
TOOLS = "config/tools"
CHECKS = ("secrets", "sast", "audit")
INSTALL_SECONDS, CHECK_SECONDS = 300, 300
# Comments with this word turn the search for secrets off, and the tool has no option against it.
HIDES = b"secretlint-" + b"disable"
SKIPPED = {".git", ".tools", "node_modules"}


def surroundings() -> dict[str, str]:
    """The environment of npm and of the checks, without the secrets of the build: those are for the Dockerfile."""
    secrets = {"BUILD_SECRETS", *os.environ.get("BUILD_SECRETS", "").split()}
    return {name: value for name, value in os.environ.items() if name not in secrets}


def install() -> None:
    """Install the tools.

    Raises:
        Problem: npm is not installed, or cannot do it in time.
    """
    # The tools need no install scripts, which could run anything.
    command = ["npm", "--prefix", TOOLS, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    try:
        done = subprocess.run(
            command, cwd=ROOT, env=surroundings(), stdin=subprocess.DEVNULL, timeout=INSTALL_SECONDS, check=False
        )
    except FileNotFoundError as error:
        raise Problem("npm is not installed; install Node.js 22 or later") from error
    except subprocess.TimeoutExpired as error:
        raise Problem(f"`npm ci` did not end within {INSTALL_SECONDS} s; retry the stage") from error
    if done.returncode:
        raise Problem(f"`npm ci` cannot install the tools of {TOOLS}, so that nothing was checked; retry the stage")


def scripts() -> dict[str, str]:
    """The commands of the checks.

    Raises:
        Problem: One is missing.
    """
    package = f"{TOOLS}/package.json"
    try:
        known = json.loads(text(package))["scripts"]
        return {check: str(known[check]) for check in CHECKS}
    except (ValueError, KeyError, TypeError) as error:
        raise Problem(f"{package} does not have the scripts {', '.join(CHECKS)}; restore them") from error


def failing() -> list[str]:
    """Run the checks side by side, print what they say one after the other, and return those that failed.

    Raises:
        Problem: One of them did not end in time.
    """
    programs = os.pathsep.join([str(ROOT / TOOLS / "node_modules/.bin"), os.environ.get("PATH", os.defpath)])
    # No file may come or go while all files are searched.
    environment = {**surroundings(), "PATH": programs, "PYTHONDONTWRITEBYTECODE": "1"}
    commands, deadline, codes = scripts(), time.monotonic() + CHECK_SECONDS, {}
    with ExitStack() as stack:
        outputs = {check: stack.enter_context(tempfile.TemporaryFile()) for check in CHECKS}
        running = {
            check: subprocess.Popen(
                ["sh", "-c", command],
                cwd=ROOT / TOOLS,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=outputs[check],
                stderr=subprocess.STDOUT,
            )
            for check, command in commands.items()
        }
        for check, process in running.items():
            try:
                codes[check] = process.wait(max(0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            outputs[check].seek(0)
            print(outputs[check].read().decode("utf-8", "replace"), end="", flush=True)
    if late := [check for check in CHECKS if check not in codes]:
        raise Problem(f"the check {late[0]} did not end within {CHECK_SECONDS} s; retry the stage")
    return [check for check, code in codes.items() if code]


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
    install()
    failed = failing()
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
