#!/usr/bin/env python3
"""Stop a release that may not enter its environment now.

    APP_NAME=... ENVIRONMENT_NAME=prod EXECUTION=... BEFORE=staging FREEZES=2026-12-20..2027-01-02 entry_check.py

BEFORE is the environment that the release comes from: none of its alarms may be in ALARM. FREEZES has periods of two
dates in UTC, both included, separated by commas. With STATE, plan_check.py comes first. A rollback may always enter.
The check fails closed. Exit codes: 0 open, 1 closed, 2 usage error, 3 closed because something could not be read.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable
from datetime import date, datetime, timezone

import plan_check
from aws_cli import Problem
from plan_aws import call

OPEN, CLOSED, USAGE_ERROR, CLOSED_UNREAD = 0, 1, 2, 3
VARIABLES = ("APP_NAME", "ENVIRONMENT_NAME", "EXECUTION")
# Of each environment. A prefix would find those of other services, too.
ALARMS = ("5xx", "latency", "load-balancer-5xx", "memory", "no-healthy-task", "unhealthy")


def is_rollback(app: str, execution: str) -> bool:
    """Whether an execution of the pipeline returns to an older state.

    Raises:
        Problem: CodePipeline does not describe it.
    """
    answer = call("codepipeline", "get-pipeline-execution", pipelineName=app, pipelineExecutionId=execution)
    return bool(answer.get("pipelineExecution", {}).get("executionType") == "ROLLBACK")


def freeze_on(day: date, freezes: str) -> str:
    """The period that includes a day; an empty text if none does.

    Raises:
        Problem: A period is malformed.
    """
    for period in filter(None, freezes.split(",")):
        try:
            first, last = map(date.fromisoformat, period.split(".."))
        except ValueError as error:
            raise Problem(f"{period!r} in FREEZES is no period; correct the answer `freezes`") from error
        if first <= day <= last:
            return period
    return ""


def ringing(app: str, environment: str) -> list[str]:
    """The alarms of an environment that are in ALARM.

    Raises:
        Problem: CloudWatch does not describe them.
    """
    names = [f"{app}-{environment}-{alarm}" for alarm in ALARMS]
    found = call("cloudwatch", "describe-alarms", AlarmNames=names, StateValue="ALARM").get("MetricAlarms", [])
    return sorted(one["AlarmName"] for one in found)


def still_ringing(app: str, environment: str, looks: int, pause: Callable[[], None]) -> list[str]:
    """As `ringing`, after some time: an alarm that a release has ended needs minutes to return to OK.

    Args:
        looks: How often to look at them, at most.
        pause: Called between two looks.
    """
    found = ringing(app, environment)
    for _ in range(looks - 1):
        if not found:
            break
        print(f"Waiting for alarms of {environment}: {', '.join(found)}.", flush=True)
        pause()
        found = ringing(app, environment)
    return found


def why_closed(app: str, environment: str, looks: int, pause: Callable[[], None]) -> str:
    """Why a release may not enter an environment now, and what to do; an empty text if it may.

    Raises:
        Problem: Something could not be read.
    """
    retry = f"`scaffold retry {environment[:1].upper()}{environment[1:]}`"
    if freeze := freeze_on(datetime.now(timezone.utc).date(), os.environ.get("FREEZES", "")):
        first, last = freeze.split("..")
        return f"no release enters {environment} from {first} to {last}; run {retry} afterwards"
    before = os.environ.get("BEFORE", "")
    if before and (alarms := still_ringing(app, before, looks, pause)):
        return f"in ALARM in {before}: {', '.join(alarms)}; fix the cause, then run {retry}"
    return ""


def main() -> int:
    parser = argparse.ArgumentParser(prog="entry_check.py", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--looks", type=int, default=40, help="looks at alarms before the release is stopped (40)")
    parser.add_argument("--pause-seconds", type=float, default=15, help="seconds between two looks (15)")
    arguments = parser.parse_args()
    given = [os.environ.get(name, "") for name in VARIABLES]
    if not all(given):
        print(f"Set {', '.join(VARIABLES)}.", file=sys.stderr)
        return USAGE_ERROR
    if os.environ.get("STATE") and (closed := plan_check.main()):
        return closed
    app, environment, execution = given
    try:
        if is_rollback(app, execution):
            print("Entry check open: a rollback may always enter.")
            return OPEN
        why = why_closed(app, environment, arguments.looks, lambda: time.sleep(arguments.pause_seconds))
    except Problem as problem:
        print(f"Entry check closed: {problem}.", file=sys.stderr)
        return CLOSED_UNREAD
    if why:
        print(f"Entry check closed: {why}.", file=sys.stderr)
        return CLOSED
    print(f"Entry check open: the release may enter {environment}.")
    return OPEN


if __name__ == "__main__":
    sys.exit(main())
