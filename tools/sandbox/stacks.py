"""CloudFormation stacks of probes."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, TypeVar

from botocore.exceptions import ClientError

from .account import said
from .sandbox import Sandbox
from .verdicts import Unavailable

Template = dict[str, Any]
T = TypeVar("T")

#: With which CloudFormation refuses a role.
CANNOT_ASSUME = "cannot be assumed"
# Until all servers know a new role.
_PROPAGATION = 90.0

#: The resource of a stack that needs none. It costs nothing.
HANDLE: Template = {"Handle": {"Type": "AWS::CloudFormation::WaitConditionHandle"}}


def template(resources: Template | None = None, **sections: Any) -> str:
    """The text of a template."""
    return json.dumps({"AWSTemplateFormatVersion": "2010-09-09", **sections, "Resources": resources or HANDLE})


def failing(*after: str) -> Template:
    """A resource whose creation fails after that of others: nothing ever signals what it waits for."""
    properties = {"Handle": {"Ref": "Handle"}, "Timeout": "1", "Count": 1}
    return {
        "Failing": {"Type": "AWS::CloudFormation::WaitCondition", "DependsOn": list(after), "Properties": properties}
    }


def parameters(values: dict[str, str]) -> list[dict[str, str]]:
    """Parameters as CloudFormation takes them."""
    return [{"ParameterKey": key, "ParameterValue": value} for key, value in values.items()]


class Stack:
    """A stack.

    Attributes:
        id: Its ARN.
    """

    def __init__(self, sandbox: Sandbox, name: str, identifier: str) -> None:
        self._sandbox = sandbox
        self.name = name
        self.id = identifier

    @classmethod
    def create(
        cls, sandbox: Sandbox, subject: str, text: str, tags: dict[str, str] | None = None, **options: Any
    ) -> Stack:
        """Create the stack of a probe, and wait until it is complete.

        Args:
            tags: Tags beside that of the run.

        Raises:
            Unavailable: Its creation has failed.
        """
        name = sandbox.name(subject)
        sandbox.state.record("stack", name)
        given = [*sandbox.tags, *({"Key": key, "Value": value} for key, value in (tags or {}).items())]
        cloudformation = sandbox.client("cloudformation")
        made = with_new_role(
            sandbox,
            lambda: cloudformation.create_stack(StackName=name, TemplateBody=text, Tags=given, **options),
        )
        stack = cls(sandbox, name, made["StackId"])
        status = stack.settled()
        if status != "CREATE_COMPLETE":
            raise Unavailable(f"the stack {subject} of the probe was not created, {status}: {stack.reason()}")
        return stack

    def describe(self) -> dict[str, Any]:
        """The stack as DescribeStacks has it, also after its deletion."""
        found: list[dict[str, Any]] = self._sandbox.client("cloudformation").describe_stacks(StackName=self.id)[
            "Stacks"
        ]
        return found[0]

    @property
    def outputs(self) -> dict[str, str]:
        """The outputs by their keys."""
        return {one["OutputKey"]: one["OutputValue"] for one in self.describe().get("Outputs", [])}

    @property
    def tags(self) -> dict[str, str]:
        """The tags by their keys."""
        return {one["Key"]: one["Value"] for one in self.describe().get("Tags", [])}

    def resource(self, logical_id: str) -> str:
        """The physical id of a resource."""
        answer = self._sandbox.client("cloudformation").describe_stack_resource(
            StackName=self.name, LogicalResourceId=logical_id
        )
        return str(answer["StackResourceDetail"]["PhysicalResourceId"])

    def changed_parameters(self, **values: str) -> list[dict[str, Any]]:
        """The parameters for an update that keeps all others."""
        known = [one["ParameterKey"] for one in self.describe()["Parameters"]]
        kept = [{"ParameterKey": key, "UsePreviousValue": True} for key in known if key not in values]
        return [*kept, *parameters(values)]

    def settled(self, seconds: float = 900) -> str:
        """The status once no operation is in progress."""

        def look() -> str:
            status = str(self.describe()["StackStatus"])
            return "" if status.endswith("IN_PROGRESS") and status != "REVIEW_IN_PROGRESS" else status

        return self._sandbox.wait(look, f"the end of the operation on the stack {self.name}", seconds)

    def update(self, text: str = "", **options: Any) -> str:
        """Update the stack, without tags and policy: the status afterwards."""
        body = {"TemplateBody": text} if text else {"UsePreviousTemplate": True}
        self._sandbox.client("cloudformation").update_stack(StackName=self.id, **body, **options)
        return self.settled()

    def delete(self) -> str:
        """Delete the stack: the status afterwards."""
        self._sandbox.client("cloudformation").delete_stack(StackName=self.id)
        return self.settled()

    def events(self, starting: str = "") -> list[dict[str, Any]]:
        """The events, the oldest first.

        Args:
            starting: How the statuses of the events begin.
        """
        pages = self._sandbox.client("cloudformation").get_paginator("describe_stack_events")
        found = [one for page in pages.paginate(StackName=self.id) for one in page["StackEvents"]]
        return [one for one in reversed(found) if one["ResourceStatus"].startswith(starting)]

    def reason(self) -> str:
        """The reason of the first failure, in CloudFormation's words."""
        failures = [one for one in self.events() if one["ResourceStatus"].endswith("FAILED")]
        return str(failures[0].get("ResourceStatusReason", "")) if failures else ""

    def change_set(self, name: str, text: str, client: Any = None, **options: Any) -> dict[str, Any]:
        """Create a change set and wait for it: what DescribeChangeSet says.

        Args:
            client: The client whose credentials create and describe it; by default the caller's.
        """
        cloudformation = client or self._sandbox.client("cloudformation")
        cloudformation.create_change_set(StackName=self.name, ChangeSetName=name, TemplateBody=text, **options)

        def look() -> dict[str, Any]:
            found: dict[str, Any] = cloudformation.describe_change_set(StackName=self.name, ChangeSetName=name)
            return {} if found["Status"].endswith(("PENDING", "IN_PROGRESS")) else found

        return self._sandbox.wait(look, f"the end of the creation of the change set {name}")


def refused(call: Callable[[], Any], expected: str) -> str:
    """The message with which an API refuses a call; empty where it does not.

    Args:
        expected: The words of the refusal.

    Raises:
        ClientError: It was refused for another reason.
    """
    try:
        call()
    except ClientError as error:
        message = said(error)
        if expected not in message:
            raise
        return message
    return ""


def with_new_role(sandbox: Sandbox, call: Callable[[], T]) -> T:
    """Make a call that passes a role to CloudFormation, again while a new role cannot be assumed yet.

    Raises:
        ClientError: It is still refused when the role must be known, or for another reason.
    """
    refusals: list[ClientError] = []

    def look() -> list[T]:
        try:
            return [call()]
        except ClientError as error:
            if CANNOT_ASSUME not in said(error):
                raise
            refusals.append(error)
            return []

    try:
        (made,) = sandbox.wait(look, "the acceptance of a new role", 1 if sandbox.account.local else _PROPAGATION)
    except Unavailable:
        raise refusals[-1] from None
    return made
