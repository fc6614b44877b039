"""The account and region in which the probes run."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import boto3  # type: ignore[import-untyped]
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from scaffold.core.errors import ScaffoldError
from scaffold.core.target import local_endpoint

from .verdicts import Undecided

_NO_ACCESS = ("AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "AuthorizationError")
_ORGANIZATION = "service control policy"
_NOT_REHEARSED = "not rehearsed"
# Several probes call the same API at the same time, and some APIs answer few calls a second.
_RETRIES: Any = {"mode": "standard", "total_max_attempts": 8}


@dataclass
class Account:
    """An account and region, and the clients of its services. May be used from any thread.

    Attributes:
        boto: The boto3 session with the caller's credentials.
        local: Whether it is local AWS.
    """

    id: str
    arn: str
    region: str
    boto: Any = field(repr=False)
    local: bool = False
    _clients: dict[tuple[str, str], Any] = field(default_factory=dict, repr=False)
    # Clients may be shared by threads, but not created by several at once.
    _lock: Any = field(default_factory=threading.Lock, repr=False)

    @classmethod
    def of_environment(cls) -> Account:
        """The account that the usual AWS variables lead to.

        Raises:
            ScaffoldError: Credentials or the region are missing, or AWS refused them.
        """
        try:
            # botocore itself reads AWS_DEFAULT_REGION only.
            boto = boto3.Session(region_name=os.environ.get("AWS_REGION") or None)
            if not boto.region_name:
                raise ScaffoldError("There is no AWS region.", "Set AWS_REGION.")
            identity = boto.client("sts", config=Config(retries=_RETRIES)).get_caller_identity()
        except (BotoCoreError, ClientError) as error:
            raise ScaffoldError(
                f"AWS cannot be used: {said(error)}", "Sign in to the sandbox account, and set AWS_PROFILE."
            ) from error
        return cls(identity["Account"], identity["Arn"], boto.region_name, boto, local_endpoint() is not None)

    @property
    def partition(self) -> str:
        """The partition, such as `aws`."""
        return self.arn.split(":")[1]

    @property
    def alias(self) -> str:
        """The account's alias; empty without one."""
        try:
            aliases = self.client("iam").list_account_aliases()["AccountAliases"]
        except ClientError:
            return ""
        return str(aliases[0]) if aliases else ""

    def client(self, service: str, region: str = "") -> Any:
        """The client of a service, in this region or another one."""
        key = service, region or self.region
        with self._lock:
            if key not in self._clients:
                config = Config(retries=_RETRIES, connect_timeout=10, read_timeout=60)
                self._clients[key] = self.boto.client(service, region_name=key[1], config=config)
            return self._clients[key]

    def assuming(self, credentials: dict[str, str]) -> Account:
        """The same account and region, with the credentials of a role."""
        keys = credentials["AccessKeyId"], credentials["SecretAccessKey"], credentials["SessionToken"]
        boto = boto3.Session(*keys, region_name=self.region)
        return Account(self.id, self.arn, self.region, boto, self.local)


def said(error: Exception) -> str:
    """What an API has answered, with its error code."""
    if isinstance(error, ClientError):
        answer = error.response["Error"]
        return f"{answer['Code']}: {answer.get('Message', '')}"
    return " ".join(str(error).split())


def code(error: ClientError) -> str:
    """The error code of an answer."""
    return str(error.response["Error"]["Code"])


def denied(call: Callable[[], Any], expected: str = "") -> str:
    """The message with which IAM has denied a call; empty where it has allowed it.

    Args:
        expected: What the message has to name, such as the action whose permission is missing.

    Raises:
        ClientError: The call was allowed, and failed otherwise.
        Undecided: It was denied for another reason than the expected one.
    """
    try:
        call()
    except ClientError as error:
        message = said(error)
        if code(error) in _NO_ACCESS or "not authorized to perform" in message:
            check_reason(message, expected)
            return message
        raise
    return ""


def check_reason(message: str, expected: str) -> None:
    """Check that a call was denied for the expected reason.

    Args:
        message: Why it was denied; empty where it was allowed.

    Raises:
        Undecided: There is another reason: the account's organization denies it, or local AWS does not know the call.
    """
    # Services differ in the case of actions.
    unknown = _ORGANIZATION in message or (expected and _NOT_REHEARSED in message)
    if message and (expected.lower() not in message.lower() or unknown):
        raise Undecided(f"the call was denied for another reason than a missing {expected or 'permission'}: {message}")
