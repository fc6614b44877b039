"""The connection to an AWS account: who is asking, where, and one client for each AWS service."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import Any

import boto3  # type: ignore[import-untyped]
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from scaffold import __version__
from scaffold.aws.errors import translate
from scaffold.core.errors import ScaffoldError
from scaffold.service.service import Service

# Each region setting that a person may have made, in the order in which they count.
_REGION_VARIABLES = ("AWS_REGION", "AWS_DEFAULT_REGION")


@dataclass
class Account:
    """An AWS account, seen through one person's credentials in one region.

    Attributes:
        id: The account's 12 digits.
        caller: The ARN of whoever is asking.
        region: The region of every call.
        profile: The profile named on the command line, if any.
    """

    id: str
    caller: str
    region: str
    profile: str | None
    session: Any = field(repr=False)
    _clients: dict[str, Any] = field(default_factory=dict, repr=False)

    @property
    def partition(self) -> str:
        """The partition of the account: `aws`, `aws-cn` or `aws-us-gov`."""
        return self.caller.split(":")[1] if self.caller.startswith("arn:") else "aws"

    @property
    def local(self) -> bool:
        """Whether this is the local AWS and not a real account. It changes a word in messages and nothing else."""
        return os.environ.get("SCAFFOLD_LOCAL") == "1"

    @property
    def title(self) -> str:
        """The account and region as a person reads them."""
        return f"{'local AWS' if self.local else 'account'} {self.id}, {self.region}"

    def client(self, service_name: str, attempts: int = 4) -> Any:
        """The client of an AWS service; one of each is made.

        Args:
            service_name: The service as boto3 calls it, such as `cloudformation`.
            attempts: How often a call is tried before its failure counts.
        """
        if service_name not in self._clients:
            self._clients[service_name] = _client(self.session, service_name, self.region, attempts)
        return self._clients[service_name]


def new_session(profile: str | None, region: str) -> Any:
    """A boto3 session with the standard configuration chain.

    Args:
        profile: The profile to use; None for the standard one.
        region: The region of its clients.
    """
    return boto3.Session(profile_name=profile, region_name=region)


def connect(service: Service, profile: str | None) -> Account:
    """Find out who is asking, and refuse any account or region other than the service's.

    Args:
        service: The service.
        profile: The AWS profile named on the command line; None for the standard chain.

    Raises:
        ScaffoldError: Credentials are missing or expired, AWS is out of reach, or it is the wrong account or region.
    """
    try:
        session = new_session(profile, service.region)
        _check_region(service, session)
        identity = _client(session, "sts", service.region).get_caller_identity()
    except (BotoCoreError, ClientError) as error:
        raise translate(error) from error
    account = Account(identity["Account"], identity["Arn"], service.region, profile, session)
    if service.account and account.id != service.account:
        raise ScaffoldError(
            f"These credentials belong to account {account.id}, but {service.app_name} belongs to {service.account}.",
            f"Use credentials of account {service.account} (`--profile NAME`), or change the answer `aws_account_id` "
            "with `copier update`.",
        )
    return account


def _client(session: Any, service_name: str, region: str, attempts: int = 4) -> Any:
    config = Config(
        connect_timeout=10,
        read_timeout=60,
        retries={"mode": "standard", "total_max_attempts": attempts},
        user_agent_extra=f"gitops-scaffold/{__version__}",
    )
    return session.client(service_name, region_name=region, config=config)


def _check_region(service: Service, session: Any) -> None:
    chosen = next(((name, os.environ[name]) for name in _REGION_VARIABLES if os.environ.get(name)), None)
    if chosen is None:
        # The session's own region was given above; the profile's stands in the configuration file.
        scoped = session._session.get_scoped_config()
        chosen = (f"the profile {session.profile_name}", scoped["region"]) if scoped.get("region") else None
    if chosen and chosen[1] != service.region:
        raise ScaffoldError(
            f"{service.app_name} lives in {service.region}, but {chosen[0]} says {chosen[1]}.",
            f"Run it with the service's region: `AWS_REGION={service.region} scaffold …`.",
        )
