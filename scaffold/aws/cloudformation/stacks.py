"""Stacks as they are, and what brings each to what its template says."""

from __future__ import annotations

import json
import time
import uuid
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from scaffold.aws.cloudformation.change_sets import create as create_change_set
from scaffold.aws.cloudformation.change_sets import template_argument
from scaffold.aws.cloudformation.stack_events import Watch, explain, follow, gone, newest_event
from scaffold.aws.cloudformation.templates import StackSpec
from scaffold.aws.errors import message_of
from scaffold.aws.session import Account
from scaffold.console.console import Console
from scaffold.core.errors import ScaffoldError
from scaffold.service import names

# Stacks of a first attempt that failed, or that was never executed: nothing that anybody uses is in them.
LEFTOVERS = {"REVIEW_IN_PROGRESS", "CREATE_FAILED", "ROLLBACK_COMPLETE", "ROLLBACK_FAILED"}
_WELL = {"CREATE_COMPLETE", "UPDATE_COMPLETE", "DELETE_COMPLETE", "IMPORT_COMPLETE"}
_AGAIN = "scaffold deploy"
# A role that foundation has made a moment ago is not known everywhere in AWS yet.
_ROLE_PATIENCE_SECONDS = 90


@dataclass(frozen=True)
class Stack:
    """A stack as it is.

    Attributes:
        id: Its id.
        name: Its name.
        status: Its status, in CloudFormation's words.
        parameters: Its parameters' values.
        tags: Its tags.
        outputs: Its outputs' values.
        role: The ARN of the role that it remembers, if any.
    """

    id: str
    name: str
    status: str
    parameters: dict[str, str]
    tags: dict[str, str]
    outputs: dict[str, str]
    role: str | None

    @property
    def busy(self) -> bool:
        """Whether CloudFormation is working on it."""
        return self.status.endswith("_IN_PROGRESS") and self.status != "REVIEW_IN_PROGRESS"


def as_stack(described: dict[str, Any]) -> Stack:
    """Read one entry of DescribeStacks.

    Args:
        described: The entry.
    """
    return Stack(
        id=described["StackId"],
        name=described["StackName"],
        status=described["StackStatus"],
        parameters={one["ParameterKey"]: one.get("ParameterValue", "") for one in described.get("Parameters", [])},
        tags={one["Key"]: one["Value"] for one in described.get("Tags", [])},
        outputs={one["OutputKey"]: one["OutputValue"] for one in described.get("Outputs", [])},
        role=described.get("RoleARN"),
    )


def find(account: Account, name: str) -> Stack | None:
    """A stack as it is, or None where there is none.

    Args:
        account: The account.
        name: The stack's name or id.
    """
    try:
        described = account.client("cloudformation").describe_stacks(StackName=name)["Stacks"]
    except ClientError as error:
        if gone(error):
            return None
        raise
    stack = as_stack(described[0]) if described else None
    return None if stack is None or stack.status == "DELETE_COMPLETE" else stack


def check_usable(spec: StackSpec, stack: Stack) -> None:
    """Refuse a stack that is somebody else's, or that CloudFormation cannot go on from.

    Args:
        spec: What the stack should be.
        stack: The stack as it is.

    Raises:
        ScaffoldError: It is another service's, or stuck.
    """
    owner, wanted = stack.tags.get(names.TAG_SERVICE), spec.tags.get(names.TAG_SERVICE)
    if owner != wanted and stack.status != "REVIEW_IN_PROGRESS":
        raise ScaffoldError(
            f"A stack named {spec.name} exists that is not this service's"
            + (f": it belongs to {owner}." if owner else f": it lacks the tag {names.TAG_SERVICE}={wanted}."),
            "Give this service another name (`scaffold new`), or deploy it to another account or region.",
        )
    if stack.status == "UPDATE_ROLLBACK_FAILED":
        raise ScaffoldError(
            f"The stack {spec.name} is {stack.status}: an update failed, and so did taking it back.",
            "Mend what its events name, run `aws cloudformation continue-update-rollback --stack-name "
            f"{spec.name}`, then `{_AGAIN}` again.",
        )
    if stack.status == "DELETE_FAILED":
        raise ScaffoldError(
            f"The stack {spec.name} is {stack.status}: somebody began to delete it.",
            f"Finish that with `scaffold destroy`, then run `{_AGAIN}` again.",
        )


def current(account: Account, spec: StackSpec, stack: Stack) -> bool:
    """Whether a stack already is what it should be: parameters, tags, template and stack policy.

    Args:
        account: The account.
        spec: What the stack should be.
        stack: The stack as it is.
    """
    if stack.tags != spec.tags or not _same_parameters(spec.parameters, stack.parameters):
        return False
    body = account.client("cloudformation").get_template(StackName=stack.id, TemplateStage="Original")["TemplateBody"]
    # CloudFormation hands back a question mark for every character outside ASCII.
    same = body == spec.parsed if isinstance(body, dict) else body in (spec.body, _ascii(spec.body))
    return same and not policy_differs(account, spec, stack)


def policy_differs(account: Account, spec: StackSpec, stack: Stack) -> bool:
    """Whether the stack's policy is not the one it should have.

    Args:
        account: The account.
        spec: What the stack should be.
        stack: The stack as it is.
    """
    if spec.policy is None:
        return False
    text = account.client("cloudformation").get_stack_policy(StackName=stack.id).get("StackPolicyBody")
    return not text or json.loads(text) != spec.policy


def settle(account: Account, name: str, console: Console) -> Stack | None:
    """A stack as it is once CloudFormation has nothing left to do on it.

    Args:
        account: The account.
        name: The stack's name.
        console: Where to show the waiting.
    """
    stack = find(account, name)
    while stack is not None and stack.busy:
        console.note(f"{name} is busy ({stack.status}): waiting for it")
        follow([Watch(account, stack.id, name)], console)
        stack = find(account, name)
    return stack


def ensure(
    account: Account, spec: StackSpec, console: Console, *, role: str | None, bucket: str | None
) -> tuple[str, Stack]:
    """Make a stack what it should be.

    Args:
        account: The account.
        spec: What the stack should be.
        console: Where to show the work.
        role: The role that CloudFormation works with; None for the person's own permissions.
        bucket: The bucket for a template that is too large to be sent inline, once there is one.

    Returns:
        `created`, `updated` or `unchanged`, and the stack as it is now.

    Raises:
        ScaffoldError: The stack is not usable, or CloudFormation failed.
    """
    stack = settle(account, spec.name, console)
    if stack is not None:
        check_usable(spec, stack)
        if stack.status in LEFTOVERS:
            console.note(f"{spec.name} is {stack.status}, left by a first attempt: removing it and starting anew")
            delete(account, [stack], console, again=_AGAIN, role=role)
            stack = None
    if stack is None:
        return "created", _create(account, spec, console, role, bucket)
    if current(account, spec, stack) or not _update(account, spec, stack, console, role, bucket):
        return "unchanged", stack
    return "updated", _described(account, stack.id)


def delete(account: Account, stacks: list[Stack], console: Console, *, again: str, role: str | None = None) -> None:
    """Delete stacks side by side and wait until they are gone.

    Args:
        account: The account.
        stacks: The stacks; none of them busy.
        console: Where to show the work.
        again: The command that goes on from a failure.
        role: The role to use for stacks that remember one, which may be gone; None for the one they remember.

    Raises:
        ScaffoldError: A stack could not be deleted.
    """
    client = account.client("cloudformation")
    watches = []
    for stack in stacks:
        watches.append(Watch(account, stack.id, stack.name, after=newest_event(account, stack.id)))
        as_role = {"RoleARN": role} if role and stack.role else {}
        # By id: repeated by a retry, the deletion cannot meet a new stack of the same name.
        client.delete_stack(StackName=stack.id, **as_role)
    follow(watches, console)
    for watch in watches:
        if watch.status != "DELETE_COMPLETE":
            raise explain(watch, "deleted", again)


def _create(account: Account, spec: StackSpec, console: Console, role: str | None, bucket: str | None) -> Stack:
    client = account.client("cloudformation")
    request = {
        "StackName": spec.name,
        **template_argument(account, spec, bucket),
        "Parameters": [{"ParameterKey": key, "ParameterValue": value} for key, value in spec.given.items()],
        "Tags": [{"Key": key, "Value": value} for key, value in spec.tags.items()],
        "Capabilities": spec.capabilities,
        # A first attempt that fails leaves nothing, not even what is otherwise retained; so it can be repeated.
        "OnFailure": "ROLLBACK",
        "RetainExceptOnCreate": True,
        # One token for all retries of this call: a lost answer does not become “already exists”.
        "ClientRequestToken": f"scaffold-{uuid.uuid4()}",
        **({"RoleARN": role} if role else {}),
        **({"StackPolicyBody": json.dumps(spec.policy)} if spec.policy else {}),
    }
    patience = time.monotonic() + _ROLE_PATIENCE_SECONDS
    while True:
        try:
            stack_id = str(client.create_stack(**request)["StackId"])
            break
        except ClientError as error:
            if "cannot be assumed" not in message_of(error) or time.monotonic() > patience:
                raise
            time.sleep(3)
    _finish(Watch(account, stack_id, spec.name, spec.resources, fresh=True), "created", console)
    return _described(account, stack_id)


def _update(
    account: Account, spec: StackSpec, stack: Stack, console: Console, role: str | None, bucket: str | None
) -> bool:
    client = account.client("cloudformation")
    policy = policy_differs(account, spec, stack)
    if policy:
        client.set_stack_policy(StackName=stack.id, StackPolicyBody=json.dumps(spec.policy))
    change_set = create_change_set(account, spec, stack.id, names.DEPLOY_CHANGE_SET, role=role, bucket=bucket)
    if not change_set.changes:
        client.delete_change_set(ChangeSetName=change_set.id)
        return policy
    watch = Watch(account, stack.id, spec.name, spec.resources, after=newest_event(account, stack.id))
    client.execute_change_set(ChangeSetName=change_set.id, ClientRequestToken=f"scaffold-{uuid.uuid4()}")
    _finish(watch, "updated", console)
    return True


def _described(account: Account, stack_id: str) -> Stack:
    return as_stack(account.client("cloudformation").describe_stacks(StackName=stack_id)["Stacks"][0])


def _finish(watch: Watch, doing: str, console: Console) -> None:
    follow([watch], console)
    if watch.status not in _WELL:
        raise explain(watch, doing, _AGAIN)


def _same_parameters(wanted: dict[str, str], deployed: dict[str, str]) -> bool:
    # CloudFormation shows the value of a NoEcho parameter as asterisks.
    return wanted.keys() == deployed.keys() and all(
        deployed[key] == value or set(deployed[key]) == {"*"} for key, value in wanted.items()
    )


def _ascii(text: str) -> str:
    return text.encode("ascii", "replace").decode()
