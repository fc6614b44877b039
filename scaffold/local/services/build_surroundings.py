"""What builds get of local AWS and of this machine: nothing of the user's account."""

from __future__ import annotations

import functools
import json
import os
from pathlib import Path

from scaffold.engine.builds.aws_server import AwsServer
from scaffold.engine.builds.surroundings import Surroundings
from scaffold.engine.builds.tools import aws_program
from scaffold.engine.containers.container_engine import ContainerEngine
from scaffold.engine.credentials import AssumeRole
from scaffold.local.downloads import DOWNLOADS
from scaffold.local.protocol import ACCOUNT


def surroundings(
    state: Path, endpoint: str, git_address: str, assume: AssumeRole, engine: ContainerEngine | None
) -> Surroundings:
    """The place of builds.

    Args:
        state: The state directory.
        endpoint: The address of local AWS.
        git_address: The host and port of the Git endpoint.
        assume: Gives builds the credentials of their roles.
        engine: Builds images; None to build them without a container engine.
    """
    root = state / "builds"
    root.mkdir()
    variables = {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "false",
        "AWS_CONFIG_FILE": str(state / "aws-config"),
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,  # A build has only the credentials of its role.
        "AWS_EC2_METADATA_DISABLED": "true",
        "CODE_COMMIT_ENDPOINT": git_address,
        "GIT_SSL_CAINFO": str(state / "authorities.pem"),
        "GIT_CONFIG_NOSYSTEM": "1",
        "NO_PROXY": "127.0.0.1,localhost",
        "no_proxy": "127.0.0.1,localhost",
        "LANG": "C.UTF-8",
        "PATH": os.pathsep.join([str(state / "bin"), os.environ.get("PATH", os.defpath)]),
    }
    aws = AwsServer(functools.partial(aws_program, variables["PATH"]))
    return Surroundings(root, ACCOUNT, endpoint, variables, downloads(), engine, aws, assume)


def downloads() -> dict[str, str]:
    """Environment variables with which this machine reaches the registries of packages and images."""
    found: dict[str, str] = json.loads(os.environ.get(DOWNLOADS, "{}"))
    return found
