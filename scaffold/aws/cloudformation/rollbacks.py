"""Rollbacks that failed: the resources because of which they did, and their continuation."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Any

from scaffold.aws.cloudformation.stack_events import CONSEQUENCES, Watch, follow, newest_event
from scaffold.aws.cloudformation.stacks import Stack, find
from scaffold.aws.session import Session
from scaffold.console.console import Console

_NESTED = "AWS::CloudFormation::Stack"


@dataclass(frozen=True)
class FailedResource:
    """A resource that could not be rolled back.

    Attributes:
        name: As `ResourcesToSkip` names it: its logical id, in a nested stack after that stack's name and a dot.
        type: Its CloudFormation type.
    """

    name: str
    type: str
    reason: str


def failed_resources(session: Session, stack_id: str) -> tuple[FailedResource, ...]:
    """The resources that a stack's rollback could not roll back, those of nested stacks included."""
    found: list[FailedResource] = []
    for event in _failures(session, stack_id):
        nested = event.get("PhysicalResourceId", "") if event["ResourceType"] == _NESTED else ""
        inner = find(session, nested) if nested else None
        if inner is not None and not inner.status.startswith("DELETE_"):
            found += [
                FailedResource(one.name if "." in one.name else f"{inner.name}.{one.name}", one.type, one.reason)
                for one in failed_resources(session, inner.id)
            ]
        else:
            reason = str(event.get("ResourceStatusReason", ""))
            found.append(FailedResource(event["LogicalResourceId"], event["ResourceType"], reason))
    return tuple(found)


def continue_rollback(session: Session, stack: Stack, skip: tuple[str, ...], console: Console) -> Watch:
    """Continue a stack's rollback and wait for its end.

    Args:
        skip: The resources to leave as they are, named as in FailedResource.
    """
    watch = Watch(session, stack.id, stack.name, after=newest_event(session, stack.id))
    leave = {"ResourcesToSkip": list(skip)} if skip else {}
    session.client("cloudformation").continue_update_rollback(
        StackName=stack.id, ClientRequestToken=f"scaffold-{uuid.uuid4()}", **leave
    )
    follow([watch], console)
    return watch


def _failures(session: Session, stack_id: str) -> list[dict[str, Any]]:
    """The latest event of each resource that failed in the newest rollback; failures of the update do not count."""
    pages = session.client("cloudformation").get_paginator("describe_stack_events").paginate(StackName=stack_id)
    latest: dict[str, dict[str, Any]] = {}
    for event in (event for page in pages for event in page["StackEvents"]):
        if event.get("PhysicalResourceId") == stack_id:
            if event["ResourceStatus"] == "UPDATE_ROLLBACK_IN_PROGRESS":
                break
        else:
            latest.setdefault(event["LogicalResourceId"], event)
    return [event for event in latest.values() if event["ResourceStatus"] == "UPDATE_FAILED" and not _cancelled(event)]


def _cancelled(event: dict[str, Any]) -> bool:
    """Whether a resource failed only because another one did: CloudFormation does not let it be skipped."""
    reason = str(event.get("ResourceStatusReason", "")).lower()
    return any(words in reason for words in CONSEQUENCES)
