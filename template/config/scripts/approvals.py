"""Who has approved a release, as CodePipeline lists it."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Any

from aws_calls import call
from aws_cli import Problem
from remedies import again, start_command

ROLE = re.compile(r"arn:[^:]+:(?:sts::[0-9]{12}:assumed-role/([^/]+)/[^/]+|iam::[0-9]{12}:role/(?:.+/)?([^/]+))")


def actions(app: str, execution: str) -> list[dict[str, Any]]:
    """The actions of an execution, the newest attempt first.

    Raises:
        Problem: CodePipeline does not list them.
    """
    chosen: dict[str, Any] = {"filter": {"pipelineExecutionId": execution}}
    return list(call("codepipeline", "list-action-executions", pipelineName=app, **chosen)["actionExecutionDetails"])


def approval(app: str, environment: str, execution: str) -> dict[str, Any] | None:
    """Who approved the release for the environment, and what they said; None if it needed no approval.

    Raises:
        Problem: CodePipeline does not list the actions of the execution.
    """
    stage = f"Approve-{environment[:1].upper()}{environment[1:]}"
    for one in actions(app, execution):
        kind = one.get("input", {}).get("actionTypeId", {}).get("category")
        if (one.get("stageName"), kind, one.get("status")) == (stage, "Approval", "Succeeded"):
            result = one.get("output", {}).get("executionResult", {})
            return {
                "by": one.get("updatedBy"),
                "message": result.get("externalExecutionSummary"),
                "at": one.get("lastUpdateTime"),
            }
    return None


def merger(app: str, environment: str, execution: str) -> str | None:
    """Who merged the pull request that let the release in, which a build has approved then; empty where nobody did, and
    None where none leads to the environment.

    Raises:
        Problem: CodePipeline does not list the actions of the execution, or CodeCommit does not describe it.
    """
    opened = (f"Plan-{environment[:1].upper()}{environment[1:]}", "PullRequest")
    runs = [one for one in actions(app, execution) if (one.get("stageName"), one.get("actionName")) == opened]
    number = runs[0].get("output", {}).get("outputVariables", {}).get("NUMBER", "") if runs else ""
    if not number.isdecimal():
        return None
    (target,) = call("codecommit", "get-pull-request", pullRequestId=number)["pullRequest"]["pullRequestTargets"]
    return str(target.get("mergeMetadata", {}).get("mergedBy") or "")


def was_needed(app: str, environment: str, execution: str) -> bool:
    """Whether a release waits for an approval before its stage, as its plan says; also where that is not listed.

    Raises:
        Problem: CodePipeline does not list the actions of the execution.
    """
    stage = f"Plan-{environment[:1].upper()}{environment[1:]}"
    answers: dict[str, str] = {}
    for one in reversed(actions(app, execution)):
        if one.get("stageName") == stage:
            answers |= one.get("output", {}).get("outputVariables", {})
    return bool(answers.get("WAITS", answers.get("CHANGED")) != "no")


def why_not_approved(app: str, environment: str, execution: str, approvers: Collection[str], planned: bool) -> str:
    """Why the approval of a release does not count, and what to do; an empty text if it does, or none was needed.

    Args:
        approvers: The names of the roles whose approvals count.
        planned: Whether the environment has a plan, without which there is no approval either.

    Raises:
        Problem: CodePipeline does not list the actions of the execution, or CodeCommit does not describe the merge.
    """
    found = approval(app, environment, execution)
    if found is None:
        # The list may be late.
        if planned and was_needed(app, environment, execution):
            raise Problem(f"CodePipeline does not list who has approved the release for {environment}; {again()}")
        return ""
    by = merger(app, environment, execution)
    by = found["by"] or "" if by is None else by
    role = ROLE.fullmatch(by)
    if role and (role[1] or role[2]) in approvers:
        return ""
    return (
        f"the release was approved for {environment} by {by or 'an unknown caller'}, who has none of the roles"
        f" {', '.join(approvers)}; release again with `{start_command(app)}`, and let one of them approve"
    )
