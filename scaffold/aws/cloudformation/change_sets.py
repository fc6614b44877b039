"""Change sets: what CloudFormation would do to a stack."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from scaffold.aws.cloudformation import validation
from scaffold.aws.cloudformation.request import stack_request
from scaffold.aws.cloudformation.stack_events import pauses
from scaffold.aws.cloudformation.templates import StackSpec
from scaffold.aws.cloudformation.validation import Finding
from scaffold.aws.errors import code_of, says_nothing_to_change, suppress_code
from scaffold.aws.session import Session
from scaffold.core.errors import ScaffoldError
from scaffold.core.results import Change

_ENDED = ("CREATE_COMPLETE", "FAILED")
_ACTIONS = {"Add": "create", "Remove": "delete"}


@dataclass(frozen=True)
class ChangeSet:
    """A change set that can be executed, or holds no changes.

    Attributes:
        id: Its ARN.
        changes: What it would change; empty when it would change nothing at all.
        warnings: What CloudFormation's validation has found that does not stop its execution.
    """

    id: str
    changes: tuple[Change, ...]
    warnings: tuple[Finding, ...] = ()

    @property
    def name(self) -> str:
        """Its name, which its ARN contains."""
        return self.id.split("/")[1]


def create(session: Session, spec: StackSpec, stack_id: str, bucket: str | None, name: str) -> ChangeSet:
    """Create a change set of an existing stack and wait for it.

    Args:
        name: Its name. A change set of that name that an interrupted run has left is replaced.

    Raises:
        ScaffoldError: CloudFormation refuses the template or its parameters, or its validation fails.
    """
    return request(session, stack_id, spec.name, name, stack_request(session, spec, bucket))


def request(session: Session, stack_id: str, stack: str, name: str, arguments: dict[str, Any]) -> ChangeSet:
    """Create a change set of an existing stack from the arguments of CreateChangeSet, and wait for it.

    Raises:
        ScaffoldError: As `create`.
    """
    client = session.client("cloudformation")
    with suppress_code("ChangeSetNotFound", "ChangeSetNotFoundException"):
        client.delete_change_set(ChangeSetName=name, StackName=stack_id)
    change_set_id = _created(client, StackName=stack_id, ChangeSetName=name, ChangeSetType="UPDATE", **arguments)
    return _described(session, change_set_id, stack)


def of_stack(session: Session, stack: str) -> list[ChangeSet]:
    """The change sets of a stack by its name, without their changes."""
    pages = session.client("cloudformation").get_paginator("list_change_sets").paginate(StackName=stack)
    return [ChangeSet(one["ChangeSetId"], ()) for page in pages for one in page["Summaries"]]


def execute(session: Session, change_set: ChangeSet) -> None:
    """Start the execution of a change set."""
    # One token for all retries of this call.
    token = f"scaffold-{uuid.uuid4()}"
    client = session.client("cloudformation")
    try:
        client.execute_change_set(ChangeSetName=change_set.id, ClientRequestToken=token)
    except ClientError:
        described = client.describe_change_set(ChangeSetName=change_set.id)
        # Executed, if only the answer was lost.
        if described.get("ExecutionStatus") not in ("EXECUTE_IN_PROGRESS", "EXECUTE_COMPLETE"):
            raise


def delete(session: Session, change_set: ChangeSet) -> None:
    """Delete a change set that is not to be executed."""
    with suppress_code("ChangeSetNotFound", "ChangeSetNotFoundException"):
        session.client("cloudformation").delete_change_set(ChangeSetName=change_set.id)


def _created(client: Any, **request: Any) -> str:
    """Create a change set and return its id, also where it exists because the answer to a first request was lost."""
    token = f"scaffold-{uuid.uuid4()}"
    try:
        return str(client.create_change_set(ClientToken=token, Description=token, **request)["Id"])
    except ClientError as error:
        if code_of(error) != "AlreadyExistsException":
            raise
        existing = client.describe_change_set(ChangeSetName=request["ChangeSetName"], StackName=request["StackName"])
        if existing.get("Description") != token:
            raise
        return str(existing["ChangeSetId"])


def _described(session: Session, change_set_id: str, stack: str) -> ChangeSet:
    client = session.client("cloudformation")
    wait = pauses()
    while (described := client.describe_change_set(ChangeSetName=change_set_id))["Status"] not in _ENDED:
        wait()
    reason = str(described.get("StatusReason", ""))
    if described["Status"] == "FAILED" and says_nothing_to_change(reason):
        return ChangeSet(change_set_id, ())
    findings = validation.of_change_set(session, change_set_id)
    failures = [finding for finding in findings if finding.fails]
    if described["Status"] == "FAILED" or failures:
        client.delete_change_set(ChangeSetName=change_set_id)
        why = "; ".join(map(validation.sentence, failures or findings)) or reason.rstrip(".")
        raise ScaffoldError(
            f"CloudFormation refuses the change of {stack}: {why}.",
            "Fix the template or its parameters, commit, and run the same command again.",
        )
    return ChangeSet(change_set_id, _changes(client, described, stack), findings)


def _changes(client: Any, described: dict[str, Any], stack: str) -> tuple[Change, ...]:
    found = list(described.get("Changes", []))
    while token := described.get("NextToken"):
        described = client.describe_change_set(ChangeSetName=described["ChangeSetId"], NextToken=token)
        found += described.get("Changes", [])
    # Without a change of a resource, the stack's outputs or tags change.
    return tuple(_change(one["ResourceChange"]) for one in found if "ResourceChange" in one) or (
        Change("AWS::CloudFormation::Stack", stack, "update"),
    )


def _change(change: dict[str, Any]) -> Change:
    action = "replace" if change.get("Replacement") == "True" else _ACTIONS.get(change["Action"], "update")
    return Change(change["ResourceType"], change["LogicalResourceId"], action)
