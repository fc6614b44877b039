#!/usr/bin/env python3
"""Check what the pipeline needs of app/Dockerfile (README.md, "Your own Dockerfile"), and the settings of the tasks.

    contract.py

Prints the first problem and its remedy, one line each, and exits with 1. build_image.sh runs it before each build,
`scaffold deploy` before it pushes.
"""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import NamedTuple

import task_settings

import content_hash
import parse_dockerfile

ROOT = Path(__file__).resolve().parents[2]
REPORT = "junit.xml"
NO_TESTS = re.compile(r"^#\s*tests:\s*none\b", re.IGNORECASE | re.MULTILINE)
# BuildKit pulls the image that a comment before the first instruction names, and lets it read the Dockerfile.
FRONTEND = re.compile(r"(?:[ \t]*(?:#|//).*\n)*?[ \t]*(?:#|//)\s*syntax\s*=\s*(\S+)", re.IGNORECASE)
MOUNTED = re.compile(r"\bContainerPath: *['\"]?([^'\"\s,}]+)")
# Where the agent of ECS Exec writes, which is root.
AGENT = {"/managed-agents", "/var/lib/amazon/ssm", "/var/log/amazon/ssm"}
HEALTH_CHECK = re.compile(r"^\s*HealthCheck:\s*\n\s*Command:\s*\n\s*- CMD\n\s*- (\S+)", re.MULTILINE)


class Problem(NamedTuple):
    """What is missing, and what to do; a sentence each."""

    missing: str
    remedy: str


def find_problem(root: Path) -> Problem | None:
    """The first problem of a service.

    Args:
        root: The directory of the service.
    """
    path = root / "app/Dockerfile"
    if not path.is_file():
        return Problem("app/Dockerfile is missing.", 'Add it; "Your own Dockerfile" in README.md says what it needs.')
    base = os.environ.get("BASE_IMAGE")
    try:
        given = parse_dockerfile.variables_of([f"BASE_IMAGE={base}"] if base else [], "linux/amd64")
        parsed = parse_dockerfile.read(path, given)
    except parse_dockerfile.Unclear as error:
        return Problem(
            f"app/Dockerfile is unclear: {error}.",
            "Name each image directly or by an ARG with a default, and give no stage the name of an image.",
        )
    text = path.read_text("utf-8-sig")
    return (
        frontend_problem(text)
        or stage_problem(parsed, text)
        or test_problem(parsed, root)
        or task_problem(text, root)
        or settings_problem(root)
    )


def frontend_problem(text: str) -> Problem | None:
    """Whether another image than those of the stages takes part in the build."""
    if frontend := FRONTEND.match(text):
        return Problem(
            f"app/Dockerfile names {frontend[1]} in `# syntax=`, an image that the pipeline does not pin.",
            "Delete this line: the builder understands Dockerfiles without it.",
        )
    return None


def stage_problem(parsed: parse_dockerfile.Dockerfile, text: str) -> Problem | None:
    """What the stages lack."""
    if parsed.released == "test":
        return Problem(
            "app/Dockerfile ends with the stage test and has no stage service, so the tests would be released.",
            "Name the stage to release `service`, or put it last.",
        )
    if "test" not in parsed.stages and not NO_TESTS.search(text):
        return Problem(
            "app/Dockerfile has no stage test, so nothing would be tested.",
            f"Add a stage test whose container runs the tests and writes /app/reports/{REPORT}, or the comment "
            "`# tests: none`.",
        )
    return None


def test_problem(parsed: parse_dockerfile.Dockerfile, root: Path) -> Problem | None:
    """Whether the tests write no report."""
    files = (path for _, path in content_hash.context(root / "app") if path.is_file())
    if "test" in parsed.stages and not any(REPORT.encode() in path.read_bytes() for path in files):
        return Problem(
            f"No file in app/ mentions {REPORT}, so the tests would write no report.",
            f"Let the stage test write a JUnit report to /app/reports/{REPORT}.",
        )
    return None


def task_problem(text: str, root: Path) -> Problem | None:
    """What the task definitions expect of the image in vain."""
    exposed = {port for line in re.findall(r"(?im)^\s*EXPOSE\s+(.*)$", text) for port in re.findall(r"\d+", line)}
    for path in sorted(root.glob("infrastructure/*/task-definition.yaml")):
        name, definition = path.relative_to(root).as_posix(), path.read_text("utf-8")
        ports = set(re.findall(r"ContainerPort: '?(\d+)", definition))
        if exposed and ports and not exposed & ports:
            return Problem(
                f"app/Dockerfile exposes port {min(exposed)}, but {name} sends requests to {min(ports)}.",
                f"Let the service listen on the port in the variable PORT, and write EXPOSE {min(ports)}.",
            )
        for place in sorted(set(MOUNTED.findall(definition)) - AGENT):
            if not re.search(rf"(?im)^\s*VOLUME\s.*(?<![\w./-]){re.escape(place)}(?![\w./-])", text):
                return Problem(
                    f"{name} mounts a volume at {place}, which app/Dockerfile does not declare, so that only root could"
                    " write there.",
                    f"Let user 1000 write to this directory in the stage to release, and write VOLUME {place} after.",
                )
        program = HEALTH_CHECK.search(definition)
        if program and program[1] not in text:
            return Problem(
                f"The health check in {name} runs {program[1]}, which app/Dockerfile does not mention.",
                "Let it run a program of the image, or delete HealthCheck: the load balancer has a check of its own.",
            )
    return None


def settings_problem(root: Path) -> Problem | None:
    """Whether config/environments/ is wrong, or differs from the task definitions."""
    problem = task_settings.problem(root)
    return Problem(*problem) if problem else None


def main() -> int:
    problem = find_problem(ROOT)
    if problem:
        print(*problem, sep="\n", file=sys.stderr)
    return 1 if problem else 0


if __name__ == "__main__":
    sys.exit(main())
