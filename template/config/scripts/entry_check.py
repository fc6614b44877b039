#!/usr/bin/env python3
"""Stop a release that may not enter its environment now.

    APP_NAME=... ENVIRONMENT_NAME=prod EXECUTION=... FREEZES=2026-12-20..2027-01-02 entry_check.py

FREEZES has periods of two dates in UTC, both included, separated by commas. With STATE, plan_check.py comes first. A
rollback may always enter. The check fails closed. Exit codes: 0 open, 1 closed, 2 usage error, 3 closed because
something could not be read.
"""

from __future__ import annotations

import os
import sys
from datetime import date, datetime, timezone

import plan_check
from aws_cli import Problem
from plan_aws import call

OPEN, CLOSED, USAGE_ERROR, CLOSED_UNREAD = 0, 1, 2, 3
VARIABLES = ("APP_NAME", "ENVIRONMENT_NAME", "EXECUTION")


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


def main() -> int:
    given = {name: os.environ.get(name, "") for name in VARIABLES}
    if missing := [name for name, value in given.items() if not value]:
        print(f"Set {', '.join(missing)}.", file=sys.stderr)
        return USAGE_ERROR
    if os.environ.get("STATE") and (closed := plan_check.main()):
        return closed
    environment = given["ENVIRONMENT_NAME"]
    try:
        if is_rollback(given["APP_NAME"], given["EXECUTION"]):
            print("Entry check open: a rollback may always enter.")
            return OPEN
        freeze = freeze_on(datetime.now(timezone.utc).date(), os.environ.get("FREEZES", ""))
    except Problem as problem:
        print(f"Entry check closed: {problem}.", file=sys.stderr)
        return CLOSED_UNREAD
    if freeze:
        stage = environment[:1].upper() + environment[1:]
        first, last = freeze.split("..")
        print(
            f"Entry check closed: no release enters {environment} from {first} to {last}; run `scaffold retry {stage}`"
            " afterwards.",
            file=sys.stderr,
        )
        return CLOSED
    print(f"Entry check open: the release may enter {environment}.")
    return OPEN


if __name__ == "__main__":
    sys.exit(main())
