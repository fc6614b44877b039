#!/usr/bin/env python3
"""Stop a release that may not enter its environment now.

    APP_NAME=... ENVIRONMENT_NAME=prod EXECUTION=... APPROVERS=Releasers BEFORE=staging
      FREEZES=2026-12-20..2027-01-02 entry_check.py

APPROVERS has the names of the roles whose approvals count, separated by commas; without it, those of anybody count.
BRANCH is the branch of the environment, if it has one: it has to lead to the commit of the release. BEFORE is the
environment that the release comes from: none of its alarms may be in ALARM. FREEZES has periods of two dates in UTC,
both included, separated by commas. With STATE, plan_check.py comes first. A rollback may always enter.
The check fails closed. Exit codes: 0 open, 1 closed, 2 usage error, 3 closed because something could not be read.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from datetime import date, datetime, timezone
from typing import Any

import plan_check
from alarm_check import patience, why_ringing
from approvals import why_not_approved
from aws_calls import call
from aws_cli import Problem
from remedies import retry_or_release, start_command

OPEN, CLOSED, USAGE_ERROR, CLOSED_UNREAD = 0, 1, 2, 3
VARIABLES = ("APP_NAME", "ENVIRONMENT_NAME", "EXECUTION")


def described(app: str, execution: str) -> dict[str, Any]:
    """An execution of the pipeline as CodePipeline describes it.

    Raises:
        Problem: It does not.
    """
    answer = call("codepipeline", "get-pipeline-execution", pipelineName=app, pipelineExecutionId=execution)
    return dict(answer.get("pipelineExecution", {}))


def is_rollback(app: str, execution: str) -> bool:
    """Whether an execution of the pipeline returns to an older state.

    Raises:
        Problem: CodePipeline does not describe it.
    """
    return described(app, execution).get("executionType") == "ROLLBACK"


def why_elsewhere(app: str, environment: str, execution: str, branch: str) -> str:
    """Why a branch keeps a release from an environment, and what to do; an empty text if it leads to its commit.

    Raises:
        Problem: Branch or release could not be read.
    """
    head = call("codecommit", "get-branch", repositoryName=app, branchName=branch)["branch"]["commitId"]
    commits = [one.get("revisionId") for one in described(app, execution).get("artifactRevisions", [])]
    if head in commits:
        return ""
    return (
        f"{branch} leads to {head}, not to the commit of this release; merge its pull request, then"
        f" {retry_or_release(app, environment)}, or, if it cannot be merged, run `{start_command(app)}`"
    )


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


def why_closed(app: str, environment: str, execution: str, looks: int, pause: Callable[[], None]) -> str:
    """Why a release may not enter an environment now, and what to do; an empty text if it may.

    Raises:
        Problem: Something could not be read.
    """
    approvers, planned = list(filter(None, os.environ.get("APPROVERS", "").split(","))), bool(os.environ.get("STATE"))
    if approvers and (why := why_not_approved(app, environment, execution, approvers, planned)):
        return why
    if freeze := freeze_on(datetime.now(timezone.utc).date(), os.environ.get("FREEZES", "")):
        first, last = freeze.split("..")
        remedy = retry_or_release(app, environment)
        return f"no release enters {environment} from {first} to {last}; {remedy} afterwards"
    branch = os.environ.get("BRANCH", "")
    if branch and (elsewhere := why_elsewhere(app, environment, execution, branch)):
        return elsewhere
    before = os.environ.get("BEFORE", "")
    return why_ringing(app, before, environment, looks, pause) if before else ""


def main() -> int:
    looks, pause = patience("entry_check.py", (__doc__ or "").splitlines()[0])
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
        why = why_closed(app, environment, execution, looks, pause)
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
