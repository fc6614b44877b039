#!/usr/bin/env python3
"""Plan what a release changes in an environment that waits for approval.

    APP_NAME=... ARTIFACT_BUCKET=... ENVIRONMENT_NAME=prod EXECUTION=... COMMIT=... IMAGE_URI=... IMAGE_TAG=... \\
      NOTIFICATION_TOPIC=... PIPELINE_PAGE=https://... RELEASE_NAME=... plan_release.py OUTPUT

Creates, describes and deletes a change set of every stack, and executes none. Writes to the file OUTPUT, for a shell:
CHANGED, yes or no; SUMMARY, one line for the approval; STATE, what plan_check.py compares. With LONGEST_PAUSE, the
minutes for which a release can wait while its tasks run, also RUNNING, whether this one is approved then, and WAITS,
whether it waits for the approval before: each yes or no. An older release that waits for approval is stopped. If
anything changes, people are told what waits for approval, in chat too where CHAT_TOPIC is set. Exit codes: 0 planned,
1 failed, 2 usage error.
"""

from __future__ import annotations

import argparse
import os
import re
import shlex
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

from approval_message import approval_message
from aws_cli import Problem
from plan_changes import Planned, plan
from plan_pipeline import Pipeline
from plan_running import can_wait_running, how_to_try
from plan_stacks import deployed, side_by_side, sources
from tell_people import tell

PLANNED, FAILED, USAGE_ERROR = 0, 1, 2
VARIABLES = (
    *("APP_NAME", "ARTIFACT_BUCKET", "ENVIRONMENT_NAME", "EXECUTION", "COMMIT", "IMAGE_URI", "IMAGE_TAG"),
    *("NOTIFICATION_TOPIC", "PIPELINE_PAGE", "RELEASE_NAME"),
)
LONGEST_SUMMARY = 600


def plan_release(given: dict[str, str], pause: Callable[[], None]) -> dict[str, str]:
    """Plan a release, and tell people what waits for approval; return the variables that it exports.

    Raises:
        Problem: The release cannot be planned, or the message is not published.
    """
    pipeline = Pipeline(given["APP_NAME"], given["ENVIRONMENT_NAME"], given["EXECUTION"])
    named, image = (given["APP_NAME"], given["ENVIRONMENT_NAME"]), (given["IMAGE_URI"], given["IMAGE_TAG"])
    release = sources(*named, *image, protect=os.environ.get("PROTECT", ""))
    before = pipeline.wait_for_turn(pause)
    while True:
        stacks = list(zip(release, side_by_side(deployed, release), strict=True))
        found = plan(stacks, f"plan-{given['EXECUTION']}", pause)
        after = pipeline.stop_older_approvals(given["COMMIT"], pause)
        if after == before:
            break
        print(f"Planning again: another release has run in the stage {pipeline.stage}.", flush=True)
        before = after
    for one in found:
        print(f"{one.source.name}: {', '.join(map(str, one.changes)) or 'no change'}")
    state = ",".join(f"{source.kind}={stack.state}" for source, stack in stacks)
    changed = any(one.changes for one in found)
    exported = {"CHANGED": answer(changed), "SUMMARY": summary(found), "STATE": state}
    trial: list[str] = []
    if pause_minutes := os.environ.get("LONGEST_PAUSE", ""):
        running = can_wait_running(found, stacks)
        exported |= {"RUNNING": answer(running), "WAITS": answer(changed and not running)}
        if running:
            trial = how_to_try(given["ENVIRONMENT_NAME"], pause_minutes, stacks)
    if changed:
        tell(f"{given['APP_NAME']}: approval waiting", approval_message(given, found, trial))
    return exported


def answer(value: bool) -> str:
    """A truth as stages and conditions read it."""
    return "yes" if value else "no"


def summary(found: list[Planned]) -> str:
    """The plan on one line of printable ASCII characters."""
    text = "; ".join(one.summary for one in found if one.changes) or "nothing changes"
    # A reference to a variable of the pipeline would be resolved.
    text = re.sub(r"[^ -~]", "?", text).replace("#{", "# {")
    return text if len(text) <= LONGEST_SUMMARY else text[: LONGEST_SUMMARY - 3] + "..."


def main() -> int:
    parser = argparse.ArgumentParser(prog="plan_release.py", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("output", type=Path, help="file to write the variables to")
    parser.add_argument("--poll-seconds", type=float, default=5, help="seconds between two requests (5)")
    arguments = parser.parse_args()
    given = {name: os.environ.get(name, "") for name in VARIABLES}
    if missing := [name for name, value in given.items() if not value]:
        print(f"Set {', '.join(missing)}.", file=sys.stderr)
        return USAGE_ERROR
    # Change sets are deleted when CodeBuild stops the build, too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(FAILED))
    try:
        exported = plan_release(given, lambda: time.sleep(arguments.poll_seconds))
    except Problem as problem:
        print(f"Plan failed: {problem}.", file=sys.stderr)
        return FAILED
    lines = [f"export {name}={shlex.quote(value)}\n" for name, value in exported.items()]
    arguments.output.write_text("".join(lines), "utf-8")
    print(f"Plan of {given['ENVIRONMENT_NAME']}: {exported['SUMMARY']}")
    return PLANNED


if __name__ == "__main__":
    sys.exit(main())
