#!/usr/bin/env python3
"""Stop templates that break a rule, before the pipeline updates itself or anything else from them.

    infrastructure_checks.py [--tools FOLDER]

Checks all templates in infrastructure/: first the suppressions in them, then with cfn-lint and the rules of
config/rules/, then with checkov. All checks run, so that a log has all findings. The tools are installed by pip from
config/requirements/infrastructure.txt, whose hashes it compares: into FOLDER, where they stay, or into a temporary one.
No file outside of config/ has settings for them. Exit codes: 0 open, 1 closed by a finding, 3 closed because the tools
cannot be installed, or a file cannot be read.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from aws_cli import Problem
from source_files import ROOT, refuse_link, text

OPEN, CLOSED, CLOSED_UNJUDGED = 0, 1, 3
INFRASTRUCTURE = "infrastructure"
POLICY = "config/policies/infrastructure-policy.toml"
REQUIREMENTS = "config/requirements/infrastructure.txt"
RULES = "config/rules"
# Each stack shows the root commit, which the foundation exports.
IGNORED = "W6001"
SUPPRESSION = re.compile(r"checkov:skip=(?P<check>[^:\s]*)(?::(?P<reason>.*))?")
FEWEST_WORDS = 3
INSTALL_SECONDS, CHECK_SECONDS = 600, 600


def templates() -> list[str]:
    """The templates of this source, relative to its root.

    Raises:
        Problem: One of them is a symbolic link, or in a folder that is one.
    """
    refuse_link(INFRASTRUCTURE)
    found = []
    for folder, folders, files in os.walk(ROOT / INFRASTRUCTURE):
        for name in (*folders, *files):
            path = str(Path(folder, name).relative_to(ROOT))
            refuse_link(path)
            if name in files and name.endswith((".yaml", ".yml", ".template")):
                found.append(path)
    return sorted(found)


def allowed_suppressions() -> dict[str, list[str]]:
    """The checks that each template may suppress, by its path in infrastructure/.

    Raises:
        Problem: The policy cannot be read, or has an unknown setting or value.
    """
    try:
        document = tomllib.loads(text(POLICY))
    except (OSError, ValueError) as error:
        raise Problem(f"the policy {POLICY} cannot be read: {error}; correct it") from error
    found = document.get("suppressions")
    if (
        set(document) != {"suppressions"}
        or not isinstance(found, dict)
        or not all(isinstance(checks, list) for checks in found.values())
    ):
        raise Problem(f"the policy {POLICY} has one table, [suppressions], with a list for each template; correct it")
    return dict(found)


def wrong_suppressions(paths: Sequence[str]) -> Iterator[str]:
    """What is wrong with the suppressions in templates."""
    allowed = allowed_suppressions()
    for path in paths:
        for number, line in enumerate(text(path).splitlines(), 1):
            for found in SUPPRESSION.finditer(line):
                where, check = f"{path}:{number}", found["check"]
                if len((found["reason"] or "").split()) < FEWEST_WORDS:
                    yield f"{where}: the suppression of {check} needs a reason: checkov:skip={check}:<reason>"
                if check not in allowed.get(path.removeprefix(f"{INFRASTRUCTURE}/"), []):
                    yield f"{where}: {POLICY} does not list the suppression of {check} for this template"


def install(folder: Path) -> None:
    """Install the tools into a folder, unless it has those of these requirements.

    Raises:
        Problem: They cannot be installed.
    """
    requirements, mark = text(REQUIREMENTS), folder / "requirements.txt"
    if mark.is_file() and mark.read_text("utf-8") == requirements:
        return
    command = ["pip3", "install", "--quiet", "--disable-pip-version-check", "--no-compile", "--require-hashes"]
    command += [
        "--no-deps",
        "--only-binary",
        ":all:",
        "--upgrade",
        "--target",
        str(folder),
        "--requirement",
        REQUIREMENTS,
    ]
    try:
        done = subprocess.run(command, cwd=ROOT, stdin=subprocess.DEVNULL, timeout=INSTALL_SECONDS, check=False)
    except (FileNotFoundError, subprocess.TimeoutExpired) as error:
        raise Problem(f"pip cannot install the tools of {REQUIREMENTS}: {error}; retry the stage") from error
    if done.returncode:
        raise Problem(f"pip cannot install the tools of {REQUIREMENTS}, so that nothing was checked; retry the stage")
    mark.write_text(requirements, "utf-8")


def run(folder: Path, tool: str, *words: str) -> bool:
    """Run an installed tool, and say whether it found nothing.

    Raises:
        Problem: It did not end in time.
    """
    with tempfile.TemporaryDirectory() as empty:
        # No settings of the source or of a user count.
        variables: Mapping[str, str] = {
            "PATH": os.environ["PATH"],
            "HOME": empty,
            "PYTHONPATH": str(folder),
            "PYTHONDONTWRITEBYTECODE": "1",
            "CKV_SKIP_PACKAGE_UPDATE_CHECK": "true",
        }
        command = [str(folder / "bin" / tool), *words]
        try:
            done = subprocess.run(
                command, cwd=empty, env=variables, stdin=subprocess.DEVNULL, timeout=CHECK_SECONDS, check=False
            )
        except subprocess.TimeoutExpired as error:
            raise Problem(f"{tool} did not end within {CHECK_SECONDS} s; retry the stage") from error
    return done.returncode == 0


def judge(folder: Path) -> list[str]:
    """The checks that stop these templates.

    Raises:
        Problem: They could not run.
    """
    for needed in (RULES, POLICY, REQUIREMENTS):
        refuse_link(needed)
    paths = templates()
    wrong = list(wrong_suppressions(paths))
    print(*wrong, sep="\n", end="\n" if wrong else "", flush=True)
    install(folder)
    files = [str(ROOT / path) for path in paths]
    region = os.environ.get("AWS_REGION") or "us-east-1"
    lint = ["--regions", region, "--append-rules", str(ROOT / RULES), "--ignore-checks", IGNORED]
    # Errors cannot be turned off by the metadata of a template.
    passed = {
        "suppressions": not wrong,
        "cfn-lint": run(folder, "cfn-lint", *lint, "--mandatory-checks", "E", "--", *files),
        "checkov": run(
            folder,
            "checkov",
            *("--framework", "cloudformation", "--skip-download", "--quiet", "--compact", "--file"),
            *files,
        ),
    }
    return [name for name, good in passed.items() if not good]


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--tools", type=Path, help="folder in which the tools stay installed")
    arguments = parser.parse_args()
    try:
        with tempfile.TemporaryDirectory() as temporary:
            failed = judge(arguments.tools.absolute() if arguments.tools else Path(temporary))
    except (Problem, OSError, ValueError) as problem:
        print(f"Infrastructure checks closed: {problem}.", file=sys.stderr)
        return CLOSED_UNJUDGED
    if failed:
        print(
            f"Infrastructure checks closed: {', '.join(failed)} failed, as said above; correct the templates, or "
            'suppress a finding as "What stops a source" in README.md says.',
            file=sys.stderr,
        )
        return CLOSED
    print("Infrastructure checks open: suppressions, cfn-lint, checkov.")
    return OPEN


if __name__ == "__main__":
    sys.exit(main())
