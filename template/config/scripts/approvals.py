"""Who has approved a release, as CodePipeline lists it."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Any

from aws_calls import call
from remedies import start_command

ROLE = re.compile(r"arn:[^:]+:(?:sts::[0-9]{12}:assumed-role/([^/]+)/[^/]+|iam::[0-9]{12}:role/(?:.+/)?([^/]+))")


def approval(app: str, environment: str, execution: str) -> dict[str, Any] | None:
    """Who approved the release for the environment, and what they said; None if it needed no approval.

    Raises:
        Problem: CodePipeline does not list the actions of the execution.
    """
    chosen: dict[str, Any] = {"filter": {"pipelineExecutionId": execution}}
    stage = f"Approve-{environment[:1].upper()}{environment[1:]}"
    # The newest attempt comes first.
    for one in call("codepipeline", "list-action-executions", pipelineName=app, **chosen)["actionExecutionDetails"]:
        kind = one.get("input", {}).get("actionTypeId", {}).get("category")
        if (one.get("stageName"), kind, one.get("status")) == (stage, "Approval", "Succeeded"):
            result = one.get("output", {}).get("executionResult", {})
            return {
                "by": one.get("updatedBy"),
                "message": result.get("externalExecutionSummary"),
                "at": one.get("lastUpdateTime"),
            }
    return None


def why_not_approved(app: str, environment: str, execution: str, approvers: Collection[str]) -> str:
    """Why the approval of a release does not count, and what to do; an empty text if it does, or none was needed.

    Args:
        approvers: The names of the roles whose approvals count.

    Raises:
        Problem: CodePipeline does not list the actions of the execution.
    """
    found = approval(app, environment, execution)
    if found is None:
        return ""
    role = ROLE.fullmatch(found["by"] or "")
    if role and (role[1] or role[2]) in approvers:
        return ""
    return (
        f"the release was approved for {environment} by {found['by'] or 'an unknown caller'}, who has none of the roles"
        f" {', '.join(approvers)}; release again with `{start_command(app)}`, and let one of them approve"
    )
