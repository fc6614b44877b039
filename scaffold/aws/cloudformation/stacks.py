"""Stacks: their state, creation, update and deletion."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from botocore.exceptions import ClientError

from scaffold.aws.cloudformation import change_sets
from scaffold.aws.cloudformation.change_sets import ChangeSet
from scaffold.aws.cloudformation.request import stack_request
from scaffold.aws.cloudformation.stack_events import Watch, explain, follow, newest_event
from scaffold.aws.cloudformation.templates import StackSpec
from scaffold.aws.errors import code_of, says_no_such_stack, says_not_updating, says_role_not_assumable
from scaffold.aws.session import Session
from scaffold.console.console import Console
from scaffold.core.errors import ScaffoldError
from scaffold.service import names

# Statuses of stacks that never finished their creation; they can be deleted.
UNFINISHED = {"REVIEW_IN_PROGRESS", "CREATE_FAILED", "ROLLBACK_COMPLETE", "ROLLBACK_FAILED"}
_BEING_CREATED = {"CREATE_IN_PROGRESS", "ROLLBACK_IN_PROGRESS"}
_SUCCEEDED = {"CREATE_COMPLETE", "UPDATE_COMPLETE", "IMPORT_COMPLETE"}
_DEPLOY = "scaffold deploy"
# IAM is eventually consistent: a role that was created a moment ago may not be assumable yet.
_ROLE_SECONDS = 90


@dataclass(frozen=True)
class Stack:
    """A stack's state.

    Attributes:
        status: As CloudFormation names it, such as `CREATE_COMPLETE`.
        role: The ARN of the service role; None where operations use the caller's permissions.
        exports: The names of its exports, by output.
        protected: Whether termination protection is on.
        deleted: When it was deleted; None while it exists.
        since: When its newest operation began.
    """

    id: str
    name: str
    status: str
    parameters: dict[str, str]
    tags: dict[str, str]
    outputs: dict[str, str]
    role: str | None
    exports: dict[str, str] = field(default_factory=dict)
    protected: bool = False
    deleted: datetime | None = None
    since: datetime | None = None

    @property
    def region(self) -> str:
        """The region that it is in."""
        return self.id.split(":")[3]

    @property
    def busy(self) -> bool:
        """Whether an operation is in progress."""
        return self.status.endswith("_IN_PROGRESS") and self.status != "REVIEW_IN_PROGRESS"

    @property
    def root_commit(self) -> str | None:
        """The root commit of its service; None where it does not show it, as before its creation has finished."""
        return self.parameters.get(names.ROOT_COMMIT) or self.outputs.get(names.ROOT_COMMIT)

    @property
    def prepared(self) -> bool:
        """Whether it is the placeholder that `scaffold deploy` has created, and no release has changed it."""
        return names.PREPARED in self.outputs

    @property
    def released(self) -> bool:
        """Whether a release has succeeded in creating what its template declares."""
        return not self.prepared and self.status not in UNFINISHED | _BEING_CREATED

    @property
    def unsettled(self) -> bool:
        """Whether the last operation failed, was rolled back or is in progress."""
        return self.status not in _SUCCEEDED


def as_stack(described: dict[str, Any]) -> Stack:
    """Read one entry of DescribeStacks."""
    return Stack(
        id=described["StackId"],
        name=described["StackName"],
        status=described["StackStatus"],
        parameters={one["ParameterKey"]: one.get("ParameterValue", "") for one in described.get("Parameters", [])},
        tags={one["Key"]: one["Value"] for one in described.get("Tags", [])},
        outputs={one["OutputKey"]: one["OutputValue"] for one in described.get("Outputs", [])},
        role=described.get("RoleARN"),
        exports={one["OutputKey"]: one["ExportName"] for one in described.get("Outputs", []) if one.get("ExportName")},
        protected=bool(described.get("EnableTerminationProtection")),
        # To the second, like some of the creation times that it is compared with.
        deleted=moment.replace(microsecond=0) if (moment := described.get("DeletionTime")) else None,
        since=described.get("LastUpdatedTime") or described.get("CreationTime"),
    )


def find(session: Session, name: str) -> Stack | None:
    """A stack by its name or id, or None where there is none."""
    try:
        described = session.client("cloudformation").describe_stacks(StackName=name)["Stacks"]
    except ClientError as error:
        if says_no_such_stack(error):
            return None
        raise
    stack = as_stack(described[0]) if described else None
    return None if stack is None or stack.status == "DELETE_COMPLETE" else stack


def find_all(session: Session) -> dict[str, Stack]:
    """Every stack of the account in the region, by name."""
    pages = session.client("cloudformation").get_paginator("describe_stacks").paginate()
    stacks = (as_stack(described) for page in pages for described in page["Stacks"])
    return {stack.name: stack for stack in stacks if stack.status != "DELETE_COMPLETE"}


def find_deleted(session: Session, wanted: Callable[[str], bool]) -> list[Stack]:
    """Deleted stacks whose names are wanted, the latest creation first; CloudFormation remembers them for 90 days."""
    client = session.client("cloudformation")
    pages = client.get_paginator("list_stacks").paginate(StackStatusFilter=["DELETE_COMPLETE"])
    summaries = [one for page in pages for one in page["StackSummaries"] if wanted(one["StackName"])]
    latest_first = sorted(summaries, key=lambda one: one["CreationTime"], reverse=True)
    # CloudFormation may forget a stack between the two calls.
    return [stack for one in latest_first if (stack := _find_deleted(session, one["StackId"]))]


def _find_deleted(session: Session, stack_id: str) -> Stack | None:
    try:
        return _described(session, stack_id)
    except ClientError as error:
        if says_no_such_stack(error):
            return None
        raise


def wait_until_idle(session: Session, name: str, console: Console) -> Stack | None:
    """Wait for the operation in progress on a stack, if any, and return the stack as it is then."""
    stack = find(session, name)
    while stack is not None and stack.busy:
        console.note(f"{name} is busy ({stack.status}): waiting for it")
        follow([Watch(session, stack.id, name)], console)
        stack = find(session, name)
    return stack


def create(session: Session, spec: StackSpec, bucket: str | None, console: Console) -> Stack:
    """Create a stack and wait for it.

    Raises:
        ScaffoldError: CloudFormation failed.
    """
    watch = start_creation(session, spec, bucket, console)
    finish_creation(watch, console)
    return _not_deleted(_described(session, watch.stack_id))


def start_creation(session: Session, spec: StackSpec, bucket: str | None, console: Console) -> Watch:
    """Start the creation of a stack."""
    client = session.client("cloudformation")
    request = {
        "StackName": spec.name,
        **stack_request(session, spec, bucket),
        # A failed creation also deletes resources with a deletion policy of Retain, so that it can be repeated.
        "OnFailure": "ROLLBACK",
        "RetainExceptOnCreate": True,
        # One token for all retries of this call: a lost answer does not become AlreadyExistsException.
        "ClientRequestToken": f"scaffold-{uuid.uuid4()}",
        **({"StackPolicyBody": json.dumps(spec.policy)} if spec.policy else {}),
        **({"EnableTerminationProtection": True} if spec.protected else {}),
    }
    deadline, waiting = time.monotonic() + _ROLE_SECONDS, False
    while True:
        try:
            stack_id = str(client.create_stack(**request)["StackId"])
            break
        except ClientError as error:
            if lost := _created_with(session, spec.name, request["ClientRequestToken"], error):
                stack_id = lost
                break
            if not says_role_not_assumable(error) or time.monotonic() > deadline:
                raise
            if not waiting:
                console.note(f"Waiting until CloudFormation may assume its new role, at most {_ROLE_SECONDS} seconds")
            waiting = True
            time.sleep(3)
    return Watch(session, stack_id, spec.name, spec.resources, fresh=True)


def finish_creation(watch: Watch, console: Console | None) -> None:
    """Wait for the end of a creation.

    Args:
        console: Where to show its events; None to show none.

    Raises:
        ScaffoldError: CloudFormation failed.
    """
    _finish(watch, "created", console)


def update(
    session: Session, spec: StackSpec, stack: Stack, change_set: ChangeSet, console: Console, *, set_policy: bool
) -> Stack:
    """Set the stack policy if told to, execute the change set if it has changes, and wait for it.

    Raises:
        ScaffoldError: CloudFormation failed.
    """
    if set_policy:
        policy = json.dumps(spec.policy)
        session.client("cloudformation").set_stack_policy(StackName=stack.id, StackPolicyBody=policy)
    if not change_set.changes:
        return stack
    watch = Watch(session, stack.id, spec.name, spec.resources, after=newest_event(session, stack.id))
    change_sets.execute(session, change_set)
    _finish(watch, "updated", console)
    return _not_deleted(_described(session, stack.id))


def cancel_update(session: Session, stack: Stack) -> None:
    """Cancel the update of a stack, which CloudFormation then rolls back; an update that has ended is no error."""
    try:
        session.client("cloudformation").cancel_update_stack(
            StackName=stack.id, ClientRequestToken=f"scaffold-{uuid.uuid4()}"
        )
    except ClientError as error:
        if not says_not_updating(error):
            raise


def set_protection(session: Session, stack: Stack, *, on: bool) -> None:
    """Turn a stack's termination protection on or off."""
    session.client("cloudformation").update_termination_protection(StackName=stack.id, EnableTerminationProtection=on)


def delete(session: Session, stacks: list[Stack], console: Console, *, again: str) -> None:
    """Delete stacks in parallel and wait for the end of the deletions.

    Args:
        stacks: The stacks; none of them has an operation in progress.
        again: The command to repeat after a failure.

    Raises:
        ScaffoldError: A stack could not be deleted.
    """
    client = session.client("cloudformation")
    watches = []
    for stack in stacks:
        watches.append(Watch(session, stack.id, stack.name, after=newest_event(session, stack.id)))
        # By id, so that a retry of this call cannot delete a new stack of the same name.
        client.delete_stack(StackName=stack.id)
    follow(watches, console)
    for watch in watches:
        if watch.status != "DELETE_COMPLETE":
            raise explain(watch, "deleted", again)


def _described(session: Session, stack_id: str) -> Stack:
    return as_stack(session.client("cloudformation").describe_stacks(StackName=stack_id)["Stacks"][0])


def _not_deleted(stack: Stack) -> Stack:
    """The stack, unless another person deletes it right after its creation or update."""
    if stack.status.startswith("DELETE_"):
        raise ScaffoldError(
            f"The stack {stack.name} is {stack.status}: it was deleted during this deployment.",
            f"Wait for the end of its deletion, then run `{_DEPLOY}` again.",
        )
    return stack


def _created_with(session: Session, name: str, token: str, error: ClientError) -> str | None:
    """The id of the stack that exists because the answer to a request with this token was lost, or None."""
    if code_of(error) != "AlreadyExistsException":
        return None
    pages = session.client("cloudformation").get_paginator("describe_stack_events").paginate(StackName=name)
    events = (event for page in pages for event in page["StackEvents"])
    return next((str(event["StackId"]) for event in events if event.get("ClientRequestToken") == token), None)


def _finish(watch: Watch, operation: str, console: Console | None) -> None:
    follow([watch], console)
    if watch.status not in _SUCCEEDED:
        error = explain(watch, operation, _DEPLOY)
        stuck = watch.status == "UPDATE_ROLLBACK_FAILED"
        raise error.with_remedy("Its rollback failed too: run `scaffold repair`.") if stuck else error
