"""Which AWS is meant: a value, handed down to everything that calls AWS or CodeCommit's Git endpoint."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

LOCAL_VARIABLE = "SCAFFOLD_LOCAL"


@dataclass(frozen=True)
class Endpoint:
    """An endpoint that serves every AWS API in place of AWS, with credentials of its own.

    Attributes:
        url: The URL of all APIs.
        access_key: The access key id.
        secret_key: The secret access key.
        variables: Environment variables with which child processes (Git, the AWS CLI) reach it. They override the
            process's own.
    """

    url: str
    access_key: str
    secret_key: str = field(repr=False)
    variables: Mapping[str, str] = field(repr=False, hash=False)


@dataclass(frozen=True)
class Target:
    """An AWS account in one region, as a person means it.

    Attributes:
        region: The region of every call.
        profile: The AWS profile; None for the standard configuration chain.
        endpoint: Where to call in place of AWS; None for AWS, or for what AWS_ENDPOINT_URL configures.
        local: Whether that is local AWS, which proves nothing about an account. Results are labelled with it.
    """

    region: str
    profile: str | None = None
    endpoint: Endpoint | None = None
    local: bool = False


def configured_target(region: str, profile: str | None = None) -> Target:
    """The AWS that the person's configuration (environment variables, ~/.aws) leads to."""
    return Target(region, profile, local=local_endpoint() is not None)


def local_endpoint() -> str | None:
    """The endpoint of the local AWS that the environment variables lead to; None where they lead elsewhere."""
    endpoint = os.environ.get("AWS_ENDPOINT_URL", "")
    try:
        loopback = urlsplit(endpoint).hostname in ("127.0.0.1", "localhost", "::1")
    except ValueError:
        loopback = False
    return endpoint if loopback and os.environ.get(LOCAL_VARIABLE) == "1" else None
