"""Findings of CloudFormation's validation before deployment, which DescribeEvents alone returns."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from botocore.exceptions import ClientError

from scaffold.aws.session import Session
from scaffold.console.console import one_line


@dataclass(frozen=True)
class Finding:
    """One finding of a validation.

    Attributes:
        validation: The validation's name, such as `NAME_CONFLICT_VALIDATION`.
        resource: The logical id of the resource.
        path: The place in the template, such as `/Resources/Queue/Properties/QueueName`.
        fails: Whether it stops the operation; otherwise it is a warning.
    """

    validation: str
    resource: str
    path: str
    reason: str
    fails: bool


def of_change_set(session: Session, change_set_id: str) -> tuple[Finding, ...]:
    """The findings for a change set, failures first; none where CloudFormation does not offer them."""
    # The id: CloudFormation refuses a change set's name here, even with the stack's.
    return _findings(_events(session, ChangeSetName=change_set_id))


def of_operation(session: Session, stack_id: str, began: datetime) -> tuple[Finding, ...]:
    """The findings for an operation on a stack, failures first.

    Args:
        began: The time of its first stack event.
    """
    # Its validation may be recorded a moment before that event.
    earliest = began - timedelta(minutes=1)
    events = [one for one in _events(session, StackName=stack_id) if _is_finding(one) and one["Timestamp"] >= earliest]
    newest = max(events, key=lambda event: event["Timestamp"], default={})
    return _findings(event for event in events if event.get("OperationId") == newest.get("OperationId"))


def sentence(finding: Finding) -> str:
    """A finding as text: the resource, where in the template, and why; without a full stop."""
    place = " at ".join(part for part in (finding.resource, finding.path) if part) or finding.validation
    return f"{place}: {one_line(finding.reason).rstrip('.')}"


def _events(session: Session, **operation: str) -> list[dict[str, Any]]:
    pages = session.client("cloudformation").get_paginator("describe_events").paginate(**operation)
    try:
        return [event for page in pages for event in page["OperationEvents"]]
    except ClientError:
        # A region may not have the API, and a role may lack the permission. The operation's own status decides.
        return []


def _is_finding(event: dict[str, Any]) -> bool:
    return event.get("EventType") == "VALIDATION_ERROR" and event.get("ValidationStatus") != "SKIPPED"


def _findings(events: Iterable[dict[str, Any]]) -> tuple[Finding, ...]:
    found = [
        Finding(
            validation=event.get("ValidationName", ""),
            resource=event.get("LogicalResourceId", ""),
            path=event.get("ValidationPath", ""),
            reason=event.get("ValidationStatusReason", ""),
            fails=event.get("ValidationFailureMode") == "FAIL",
        )
        for event in events
        if _is_finding(event)
    ]
    return tuple(sorted(dict.fromkeys(found), key=lambda one: not one.fails))
