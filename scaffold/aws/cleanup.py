"""Deletion of log groups and task definitions, which outlive the stacks that created them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from scaffold.aws.errors import suppress_code
from scaffold.aws.session import Session

# The most task definitions that one call of DeleteTaskDefinitions takes.
_BATCH = 10


def log_group_exists(session: Session, name: str, before: datetime | None = None) -> bool:
    """Whether there is a log group, which where asked is older than a moment."""
    pages = session.client("logs").get_paginator("describe_log_groups").paginate(logGroupNamePrefix=name)
    groups = [group for page in pages for group in page["logGroups"] if group["logGroupName"] == name]
    return any(before is None or group["creationTime"] < before.timestamp() * 1000 for group in groups)


def delete_log_group(session: Session, name: str) -> None:
    """Delete a log group; one that is deleted already is no error."""
    with suppress_code("ResourceNotFoundException"):
        session.client("logs").delete_log_group(logGroupName=name)


def delete_task_definitions(session: Session, family: str, before: datetime | None = None) -> int:
    """Deregister and delete the revisions of a family, retained ones too; return how many were deleted.

    Args:
        before: Delete only revisions that were registered before that moment.
    """
    client = session.client("ecs")
    for revision in _revisions(client, family, "ACTIVE", before):
        client.deregister_task_definition(taskDefinition=revision)
    inactive = _revisions(client, family, "INACTIVE", before)
    failed = 0
    for start in range(0, len(inactive), _BATCH):
        answer = client.delete_task_definitions(taskDefinitions=inactive[start : start + _BATCH])
        failed += len(answer.get("failures", []))
    return len(inactive) - failed


def count_task_definitions(session: Session, family: str, before: datetime | None = None) -> int:
    """How many revisions a family has, which where asked were registered before a moment."""
    client = session.client("ecs")
    return sum(len(_revisions(client, family, status, before)) for status in ("ACTIVE", "INACTIVE"))


def _revisions(client: Any, family: str, status: str, before: datetime | None) -> list[str]:
    pages = client.get_paginator("list_task_definitions").paginate(familyPrefix=family, status=status)
    arns = [arn for page in pages for arn in page["taskDefinitionArns"]]
    # AWS lists families whose names only begin with this one's, too.
    own = [arn for arn in arns if arn.rpartition("/")[2].rpartition(":")[0] == family]
    return own if before is None else [arn for arn in own if _registered(client, arn) < before]


def _registered(client: Any, revision: str) -> datetime:
    moment: datetime = client.describe_task_definition(taskDefinition=revision)["taskDefinition"]["registeredAt"]
    return moment
