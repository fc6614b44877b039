"""The account and region to work on: an argument of everything that calls AWS or CodeCommit's Git endpoint."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

LOCAL_VARIABLE = "SCAFFOLD_LOCAL"
# Set beside it where pipelines, builds and services run.
RUNS_VARIABLE = "SCAFFOLD_LOCAL_RUNS"


@dataclass(frozen=True)
class Endpoint:
    """An endpoint that serves every AWS API in place of AWS, with credentials of its own.

    Attributes:
        url: The URL of all APIs.
        variables: Environment variables with which child processes (Git, the AWS CLI) reach it. They override the
            process's own.
    """

    url: str
    access_key: str
    secret_key: str = field(repr=False)
    variables: Mapping[str, str] = field(repr=False, hash=False)


@dataclass(frozen=True)
class Target:
    """The AWS account and region that a command works on.

    Attributes:
        region: The region of every call.
        profile: The AWS profile; None for the standard configuration chain.
        endpoint: Where to call in place of AWS; None for AWS, or for what AWS_ENDPOINT_URL configures.
        local: Whether this is local AWS. Results are labelled with it, since they prove nothing about an account.
        runs: Whether pipelines, builds and services run there; local AWS may only store them.
    """

    region: str
    profile: str | None = None
    endpoint: Endpoint | None = None
    local: bool = False
    runs: bool = True


def configured_target(region: str, profile: str | None = None) -> Target:
    """The target that the user's configuration selects: environment variables and ~/.aws."""
    local = local_endpoint() is not None
    return Target(region, profile, local=local, runs=not local or os.environ.get(RUNS_VARIABLE) == "1")


def local_endpoint() -> str | None:
    """The endpoint of the local AWS that the environment variables select; None where they select another AWS."""
    endpoint = os.environ.get("AWS_ENDPOINT_URL", "")
    try:
        loopback = urlsplit(endpoint).hostname in ("127.0.0.1", "localhost", "::1")
    except ValueError:
        loopback = False
    return endpoint if loopback and os.environ.get(LOCAL_VARIABLE) == "1" else None
