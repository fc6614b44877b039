"""One local AWS for each test process, and stacks in it."""

from __future__ import annotations

import functools
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from scaffold.local.credentials import ACCESS_KEY, SECRET_KEY
from scaffold.local.environment import local_aws

ROOT = Path(__file__).resolve().parents[2]
Client = Callable[..., Any]


@pytest.fixture(scope="session")
def variables() -> Iterator[dict[str, str]]:
    """The environment variables of a running local AWS."""
    with local_aws() as found:
        yield found


@pytest.fixture(scope="session")
def client(variables: dict[str, str]) -> Client:
    """Creates boto3 clients for it, without the machine's AWS settings."""

    session = boto3.session.Session()

    @functools.cache
    def make(service: str, region: str = "us-east-1", endpoint: str = variables["AWS_ENDPOINT_URL"]) -> Any:
        return session.client(
            service,
            region_name=region,
            endpoint_url=endpoint,
            aws_access_key_id=ACCESS_KEY,
            aws_secret_access_key=SECRET_KEY,
            config=Config(retries={"max_attempts": 0}, proxies={}),
        )

    return make


@pytest.fixture
def shell(
    variables: dict[str, str], path_with_aws_cli: str, tmp_path: Path
) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs a shell command in local AWS, with a temporary working and home directory."""

    def run(command: str, **more: str) -> subprocess.CompletedProcess[str]:
        environment = isolated(tmp_path) | variables | more
        programs_of_local_aws = variables["PATH"].partition(os.pathsep)[0]
        folders = programs_of_local_aws, path_with_aws_cli, str(Path(sys.executable).parent)
        environment["PATH"] = os.pathsep.join(folders)
        return subprocess.run(
            command, shell=True, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60, check=False
        )

    return run


def isolated(home: Path) -> dict[str, str]:
    """The environment without the machine's settings, with an identity for Git."""
    (home / ".gitconfig").write_text("[user]\nname = Test\nemail = test@example.com\n")
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "COVERAGE_PROCESS_CONFIG") if name in os.environ}
    chosen = {"GIT_CONFIG_NOSYSTEM": "1", "SCAFFOLD_CONTAINER_ENGINE": "none"}
    return kept | {"HOME": str(home), "PYTHONPATH": str(ROOT), **chosen}


class Stack:
    """A stack that a test creates, updates and deletes."""

    def __init__(self, cloudformation: Any, name: str) -> None:
        self.api = cloudformation
        self.name = name

    def create(self, resources: dict[str, Any], **more: Any) -> dict[str, Any]:
        """Create it, wait, and return its description."""
        return self._do(self.api.create_stack, resources, "stack_create_complete", **more)

    def update(self, resources: dict[str, Any], **more: Any) -> dict[str, Any]:
        """Update it, wait, and return its description."""
        return self._do(self.api.update_stack, resources, "stack_update_complete", **more)

    def delete(self) -> None:
        """Delete it and wait."""
        self.api.delete_stack(StackName=self.name)
        self.wait("stack_delete_complete")

    def describe(self) -> dict[str, Any]:
        """Its description, with the outputs as a dictionary."""
        stack: dict[str, Any] = self.api.describe_stacks(StackName=self.name)["Stacks"][0]
        stack["Outputs"] = {o["OutputKey"]: o["OutputValue"] for o in stack.get("Outputs", [])}
        return stack

    def failures(self) -> list[str]:
        """The reasons of all failures, the newest first."""
        events = self.api.describe_stack_events(StackName=self.name)["StackEvents"]
        return [e["ResourceStatusReason"] for e in events if e["ResourceStatus"].endswith("FAILED")]

    def wait(self, waiter: str) -> None:
        """Wait for a state."""
        self.api.get_waiter(waiter).wait(StackName=self.name, WaiterConfig={"Delay": 0.1, "MaxAttempts": 600})

    def _do(self, action: Callable[..., Any], resources: dict[str, Any], waiter: str, **more: Any) -> dict[str, Any]:
        outputs = more.pop("Outputs", {})
        body = {"Resources": resources, "Outputs": {name: {"Value": value} for name, value in outputs.items()}}
        capabilities = ["CAPABILITY_NAMED_IAM"]
        action(StackName=self.name, TemplateBody=json.dumps(body), Capabilities=capabilities, **more)
        self.wait(waiter)
        return self.describe()


@pytest.fixture
def stack(client: Client, request: pytest.FixtureRequest) -> Iterator[Stack]:
    """A stack named after the test, and deleted after it."""
    made = Stack(client("cloudformation"), re.sub(r"[^a-z0-9-]+", "-", request.node.name.lower()).strip("-"))
    yield made
    with suppress(ClientError):  # A busy stack ends with local AWS.
        made.api.delete_stack(StackName=made.name)
