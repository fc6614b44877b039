"""Deletion of log groups and task definitions, which outlive the stacks that created them."""

from __future__ import annotations

from typing import Any

from scaffold.aws.errors import suppress_code
from scaffold.aws.session import Session

# The most task definitions that one call of DeleteTaskDefinitions takes.
_BATCH = 10


def log_groups(session: Session, names: list[str]) -> list[str]:
    """Those of the log groups that exist."""
    client = session.client("logs")
    found = []
    for name in names:
        for page in client.get_paginator("describe_log_groups").paginate(logGroupNamePrefix=name):
            found += [group["logGroupName"] for group in page["logGroups"] if group["logGroupName"] == name]
    return found


def delete_log_group(session: Session, name: str) -> None:
    """Delete a log group; one that is deleted already is no error."""
    with suppress_code("ResourceNotFoundException"):
        session.client("logs").delete_log_group(logGroupName=name)


def delete_task_definitions(session: Session, family: str) -> int:
    """Deregister and delete every revision of a family, retained ones too; return how many there were."""
    client = session.client("ecs")
    for revision in _revisions(client, family, "ACTIVE"):
        client.deregister_task_definition(taskDefinition=revision)
    inactive = _revisions(client, family, "INACTIVE")
    for start in range(0, len(inactive), _BATCH):
        client.delete_task_definitions(taskDefinitions=inactive[start : start + _BATCH])
    return len(inactive)


def count_task_definitions(session: Session, family: str) -> int:
    """How many revisions a family has."""
    client = session.client("ecs")
    return sum(len(_revisions(client, family, status)) for status in ("ACTIVE", "INACTIVE"))


def _revisions(client: Any, family: str, status: str) -> list[str]:
    pages = client.get_paginator("list_task_definitions").paginate(familyPrefix=family, status=status)
    arns = [arn for page in pages for arn in page["taskDefinitionArns"]]
    # AWS lists families whose names only begin with this one's, too.
    return [arn for arn in arns if arn.rpartition("/")[2].rpartition(":")[0] == family]
