"""Roles whose permissions a probe limits, to see what a call needs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from botocore.exceptions import ClientError

from .account import Account, check_reason, code, denied
from .sandbox import Sandbox
from .stacks import Stack, Template, template
from .verdicts import Unavailable, Undecided

# Until IAM has told all of its servers about a new role or policy.
_PROPAGATION, _LOCAL_PROPAGATION = 60.0, 2.0


def allow(*actions: str, resource: Any = "*", **condition: Any) -> Template:
    """A statement that allows actions."""
    statement = {"Effect": "Allow", "Action": list(actions), "Resource": resource}
    return statement | ({"Condition": condition} if condition else {})


def policy(*statements: Template) -> Template:
    """A policy document."""
    return {"Version": "2012-10-17", "Statement": list(statements)}


def trust(*, service: str = "", arn: str = "") -> Template:
    """The trust policy of a role that a service or a principal of this account may assume."""
    principal = {"Service": service} if service else {"AWS": arn}
    return policy({"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"})


def role(trusted: Template, *statements: Template, **properties: Any) -> Template:
    """A role as a resource of a template, with the permissions that the statements give."""
    policies = [{"PolicyName": "probe", "PolicyDocument": policy(*statements)}] if statements else []
    return {
        "Type": "AWS::IAM::Role",
        "Properties": {"AssumeRolePolicyDocument": trusted, "Policies": policies, **properties},
    }


class Caller:
    """Calls AWS with a role that has few permissions."""

    def __init__(self, sandbox: Sandbox, account: Account) -> None:
        self._sandbox = sandbox
        self._account = account

    @classmethod
    def with_permissions(cls, sandbox: Sandbox, subject: str, *statements: Template) -> Caller:
        """Create a role with these permissions, and assume it.

        Raises:
            Undecided: Calls of roles are not checked here, as on a local AWS where nothing runs.
        """
        owner = trust(arn=sandbox.arn("iam", "root", region=""))
        text = template({"Role": role(owner, *statements)}, Outputs={"Arn": {"Value": {"Fn::GetAtt": ["Role", "Arn"]}}})
        arn = Stack.create(sandbox, f"{subject}-caller", text, Capabilities=["CAPABILITY_IAM"]).outputs["Arn"]

        def assume() -> dict[str, str]:
            try:
                answer = sandbox.client("sts").assume_role(RoleArn=arn, RoleSessionName=sandbox.run)
            except ClientError as error:
                if code(error) != "AccessDenied":
                    raise
                return {}
            keys: dict[str, str] = answer["Credentials"]
            return keys

        keys = sandbox.wait(assume, "the assumption of a new role", _PROPAGATION)
        caller = cls(sandbox, sandbox.account.assuming(keys))
        # No probe gives this permission.
        if not denied(lambda: caller.client("sqs").list_queues()):
            raise Undecided("calls of roles that are assumed through STS are not checked here")
        return caller

    @property
    def account(self) -> Account:
        """The account, with the credentials of the role."""
        return self._account

    def client(self, service: str) -> Any:
        """The client of a service."""
        return self._account.client(service)

    def may(self, call: Callable[[], Any], expected: str = "") -> str:
        """The message with which IAM still denies a call when new permissions are in effect; empty if it allows it.

        Args:
            expected: What the message has to name, such as the action whose permission is missing.

        Raises:
            Undecided: The call is denied for another reason than the expected one.
        """
        last = [""]

        def allowed() -> bool:
            last[0] = denied(call)
            return not last[0]

        patience = _LOCAL_PROPAGATION if self._account.local else _PROPAGATION
        try:
            self._sandbox.wait(allowed, "the call", patience)
        except Unavailable:
            check_reason(last[0], expected)
            return last[0]
        return ""

    def must(self, call: Callable[[], Any]) -> None:
        """Make a call that has to be allowed; afterwards, the permissions of the role are in effect.

        Raises:
            Unavailable: It is denied.
        """
        if message := self.may(call):
            raise Unavailable(f"the role of the probe lacks a permission: {message}")
