"""Run the tests with every other supported Python of this machine: `make test-pythons`.

Each version gets its own environment, `.venv-3.X`. The oldest of them gets the lowest versions of the dependencies, so
that both ends of their ranges are tested without one more run. Tests of what is generated are left out: it is the same
with every version, and `make test` runs them. The exit code is 1 when tests fail, when there is no other version, and
when a version that pyproject.toml declares is missing.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
Version = tuple[int, int]
OLDEST: Version = (3, 11)
#: What is generated is tested there.
LEFT_OUT = ("tests/infrastructure", "tests/service")


def declared() -> set[Version]:
    """The versions in the classifiers of pyproject.toml."""
    classifiers = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["classifiers"]
    found = (re.fullmatch(r"Programming Language :: Python :: 3\.(\d+)", classifier) for classifier in classifiers)
    return {(3, int(match[1])) for match in found if match}


def candidates() -> Iterator[str]:
    """Programs that may be a Python: those on the PATH, and those of pyenv, whose shims need not work."""
    for minor in range(OLDEST[1], 30):
        yield from filter(None, [shutil.which(f"python3.{minor}")])
    versions = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"), "versions")
    yield from map(str, sorted(versions.glob("3.*/bin/python3")))


def version(program: str) -> Version | None:
    """The version of a Python that can create environments, or None."""
    script = "import ensurepip, sys; print(*sys.version_info[:2])"
    done = subprocess.run([program, "-c", script], capture_output=True, text=True, check=False)
    if done.returncode:
        return None
    major, minor = map(int, done.stdout.split())
    return major, minor


def interpreters() -> dict[Version, str]:
    """A program for each supported version, oldest first."""
    found: dict[Version, str] = {}
    for program in candidates():
        number = version(program)
        if number and number >= OLDEST:
            found.setdefault(number, program)
    return dict(sorted(found.items()))


def named(versions: set[Version]) -> str:
    """Versions in words."""
    return ", ".join(f"{major}.{minor}" for major, minor in sorted(versions)) or "none"


def run(number: Version, program: str, lowest: bool) -> bool:
    """Run the tests with one version and print how long they took.

    Args:
        lowest: Whether with the lowest versions of the dependencies.
    """
    started = time.monotonic()
    environment = f".venv-{named({number})}"
    versions = "lowest" if lowest else "newest"
    print(f"\nPython {named({number})}: {program}, in {environment}, {versions} versions", flush=True)
    command = ["make", "--no-print-directory", "test", f"VENV={environment}", f"PYTHON={program}", "COVERAGE="]
    if lowest:
        command += ["LOCK=requirements/lowest.txt", "PIP_OPTIONS=--no-deps"]
    options = " ".join([os.environ.get("PYTEST_ADDOPTS", ""), *(f"--ignore={folder}" for folder in LEFT_OUT)])
    variables = {**os.environ, "PYTEST_ADDOPTS": options.strip()}
    passed = not subprocess.run(command, cwd=ROOT, env=variables, check=False).returncode
    print(
        f"Python {named({number})}: {'passed' if passed else 'failed'} in {time.monotonic() - started:.0f} s",
        flush=True,
    )
    return passed


def main() -> int:
    """Find the versions, run the tests with each, and print which were run."""
    tested: Version = sys.version_info[:2]  # by `make test`
    found = interpreters()
    others = {number: program for number, program in found.items() if number != tested}
    print(f"Found Python {named(set(found))}. `make test` runs {named({tested})}.", flush=True)
    if missing := declared() - set(found) - {tested}:
        print(f"Python {named(missing)} is declared in pyproject.toml and was not found.", file=sys.stderr)
        return 1
    if not others:
        print("There is no other Python to test with.", file=sys.stderr)
        return 1
    oldest = min(others)
    failed = {number for number, program in others.items() if not run(number, program, number == oldest)}
    print(f"\nTested Python {named(set(others) - failed)}; failed: {named(failed)}.")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
