"""The connection to AWS: credentials, region, one client for each AWS service."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from threading import Lock
from typing import Any

import boto3  # type: ignore[import-untyped]
import botocore.session
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from scaffold import __version__
from scaffold.aws import credentials
from scaffold.aws.botocore_failures import malformed_endpoint
from scaffold.aws.client import Client
from scaffold.aws.errors import translate
from scaffold.console import indicator
from scaffold.console.console import Console
from scaffold.core.errors import ScaffoldError
from scaffold.core.target import Target
from scaffold.service.service import Service

# For an endpoint of its own: no profile and no file of the machine may add settings to it.
_UNCONFIGURED = dict.fromkeys(("profile", "config_file", "credentials_file", "ca_bundle"), (None, None, None, None))


@dataclass
class Session:
    """One caller's credentials in one account and region.

    Attributes:
        account: The account's 12 digits.
        caller: The ARN of the caller.
        target: The account and region to work on.
    """

    account: str
    caller: str
    target: Target
    boto: Any = field(repr=False)
    _clients: dict[tuple[str, int], Client] = field(default_factory=dict, repr=False)
    _making: Any = field(default_factory=Lock, repr=False, compare=False)
    _elsewhere: dict[str, Session] = field(default_factory=dict, repr=False, compare=False)

    @property
    def region(self) -> str:
        """The region of every call."""
        return self.target.region

    @property
    def partition(self) -> str:
        """The partition of the account, such as `aws` or `aws-us-gov`."""
        return self.caller.split(":")[1] if self.caller.startswith("arn:") else "aws"

    @property
    def title(self) -> str:
        """Account and region, for messages."""
        return f"{'local AWS' if self.target.local else 'account'} {self.account}, {self.region}"

    def client(self, service_name: str, attempts: int = 4) -> Client:
        """The client of an AWS service; the same one for the same arguments. May be called from any thread.

        Args:
            service_name: The service as boto3 calls it, such as `cloudformation`.
            attempts: How often a call is tried before its failure counts.
        """
        key = service_name, attempts
        with self._making:  # A session of boto3 makes one client at a time.
            if key not in self._clients:
                self._clients[key] = _client(self.boto, service_name, self.target, attempts)
            return self._clients[key]

    def in_region(self, region: str | None) -> Session:
        """The same caller's session in another region; this one for None, and for its own region."""
        if region in (None, self.region):
            return self
        with self._making:
            if region not in self._elsewhere:
                target = replace(self.target, region=region)
                # With the lock of this one, as both make their clients with one session of boto3.
                self._elsewhere[region] = replace(self, target=target, _clients={}, _elsewhere={})
            return self._elsewhere[region]

    def git_variables(self) -> dict[str, str]:
        """Environment variables with which Git signs in with this session's credentials."""
        keys = credentials.fetch(self.boto)
        return {
            **(self.target.endpoint.variables if self.target.endpoint else {}),
            "AWS_ACCESS_KEY_ID": keys.access_key,
            "AWS_SECRET_ACCESS_KEY": keys.secret_key,
            # An empty token overrides an inherited one, which belongs to other credentials.
            "AWS_SESSION_TOKEN": keys.token or "",
        }


def new_session(target: Target) -> Any:
    """A boto3 session: with the standard configuration chain, or for an endpoint without any of it."""
    if target.endpoint is None:
        return boto3.Session(profile_name=target.profile, region_name=target.region)
    core = botocore.session.Session(session_vars=_UNCONFIGURED)
    core.set_credentials(target.endpoint.access_key, target.endpoint.secret_key)
    return boto3.Session(botocore_session=core, region_name=target.region)


def assume(session: Session, role_arn: str, name: str) -> Session:
    """The session of a role with a name, in the same account and region."""
    answer = session.client("sts").assume_role(RoleArn=role_arn, RoleSessionName=name)
    keys = answer["Credentials"]
    core = botocore.session.Session(session_vars=_UNCONFIGURED)
    core.set_credentials(keys["AccessKeyId"], keys["SecretAccessKey"], keys["SessionToken"])
    boto = boto3.Session(botocore_session=core, region_name=session.region)
    return Session(session.account, answer["AssumedRoleUser"]["Arn"], session.target, boto)


def connect(service: Service, target: Target) -> Session:
    """Find out who the caller is, and refuse an account other than the service's. Local AWS stands in for any account.

    Raises:
        ScaffoldError: Credentials are missing or expired, AWS cannot be reached, or it is the wrong account.
    """
    return _connect(service, target, _may_ask(target))


def _connect(service: Service, target: Target, may_ask: bool) -> Session:
    with indicator.busy(f"Signing in to {_name(target)}", may_ask=may_ask):
        session = identify(target)
    check_account(service, session)
    return session


def identify(target: Target) -> Session:
    """Find out who the caller is, in whatever account.

    Raises:
        ScaffoldError: Credentials are missing or expired, or AWS cannot be reached.
    """
    if target.endpoint is None:
        credentials.check_variables()
    try:
        boto = new_session(target)
        credentials.fetch(boto)
        identity = _client(boto, "sts", target).get_caller_identity()
        return Session(identity["Account"], identity["Arn"], target, boto)
    except (BotoCoreError, ClientError) as error:
        raise translate(error) from error


def check_account(service: Service, session: Session) -> None:
    """Refuse an account other than the service's. Local AWS stands in for any account.

    Raises:
        ScaffoldError: It is another one.
    """
    if service.account and not session.target.local and session.account != service.account:
        raise ScaffoldError(
            f"These credentials belong to account {session.account}, but {service.app_name} belongs to "
            f"{service.account}.",
            f"Use credentials of account {service.account} (`--profile NAME`), or change the answer with `scaffold "
            "update --to current --data aws_account_id=ACCOUNT`.",
        )


def _may_ask(target: Target) -> bool:
    return target.endpoint is None and credentials.may_ask(target.profile)


def _name(target: Target) -> str:
    return "local AWS" if target.local else "AWS"


@contextmanager
def signed_in(service: Service, target: Target, console: Console) -> Iterator[Session]:
    """A session for a service; AWS's errors inside the block become a ScaffoldError.

    Raises:
        ScaffoldError: AWS refused a call, or could not be reached.
    """
    may_ask = _may_ask(target)
    session = _connect(service, target, may_ask)
    console.step(f"Signed in to {session.title} as {session.caller}")
    try:
        # Credentials that expire meanwhile are fetched again.
        with indicator.busy(f"Waiting for {_name(target)}", may_ask=may_ask):
            yield session
    except (BotoCoreError, ClientError) as error:
        raise translate(error) from error


def _client(boto: Any, service_name: str, target: Target, attempts: int = 4) -> Client:
    config = Config(
        connect_timeout=10,
        read_timeout=60,
        retries={"mode": "standard", "total_max_attempts": attempts},
        user_agent_extra=f"gitops-scaffold/{__version__}",
    )
    settings = {"region_name": target.region, "config": config}
    if endpoint := target.endpoint:
        plain = Config(proxies={}, use_fips_endpoint=False, use_dualstack_endpoint=False)
        settings |= {"endpoint_url": endpoint.url, "config": config.merge(plain)}
    try:
        return Client(boto.client(service_name, **settings))
    except ValueError as error:
        raise malformed_endpoint(error) from error
