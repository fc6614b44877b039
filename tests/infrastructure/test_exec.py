"""What `exec` adds: shells in the tasks of the environments that it names, and in no other."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.infrastructure.iam import allowed, boundary_of
from tests.infrastructure.stacks import ACCOUNT, REGION, Stacks

APP = "hello-service"
AGENT = ["/managed-agents", "/var/lib/amazon/ssm", "/var/log/amazon/ssm"]
CHANNELS = [f"ssmmessages:{verb}{kind}Channel" for verb in ("Create", "Open") for kind in ("Control", "Data")]


@pytest.fixture(scope="module")
def stacks(stacks_of: Callable[..., Stacks]) -> Stacks:
    return stacks_of(environments="dev,live", customize=True, exec="dev", encrypt_logs=True)


def granted(stacks: Stacks, environment: str) -> list[Any]:
    """What the task definition's stack allows the tasks."""
    found = dict(stacks[f"{APP}-{environment}-task-definition"].of_type("AWS::IAM::Policy"))
    return [statement for one in found.values() for statement in one["PolicyDocument"]["Statement"]]


def only(stacks: Stacks, environment: str, kind: str, resource: str) -> dict[str, Any]:
    """The properties of the only resource of a type in a stack."""
    ((_, properties),) = stacks[f"{APP}-{environment}-{kind}"].of_type(f"AWS::ECS::{resource}")
    return properties


@pytest.mark.parametrize(("environment", "opened"), [("dev", True), ("live", False)])
def test_shells_are_for_the_named_environments_only(stacks: Stacks, environment: str, opened: bool) -> None:
    assert only(stacks, environment, "service", "Service")["EnableExecuteCommand"] == str(opened).lower()
    (container,) = only(stacks, environment, "task-definition", "TaskDefinition")["ContainerDefinitions"]
    assert container["ReadonlyRootFilesystem"] is True
    assert container["User"] == "1000"
    assert [one["ContainerPath"] for one in container.get("MountPoints", [])] == (AGENT if opened else [])
    assert container.get("LinuxParameters", {}).get("InitProcessEnabled", False) is opened
    limit, own = boundary_of(stacks[f"{APP}-{environment}-deploy-role"]), granted(stacks, environment)
    for action in (*CHANNELS, "logs:DescribeLogGroups"):
        assert allowed(limit, action) is opened
        assert allowed(own, action) is opened
    assert not allowed(own, "ssmmessages:AcknowledgeMessage")
    streams = "arn:aws:logs:{}:{}:log-group:/{}/{}:log-stream:ecs-execute-command-1"
    for name in ("dev", "live"):
        stream = streams.format(REGION, ACCOUNT, APP, name)
        for action in ("logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"):
            assert allowed(own, action, stream) is (opened and name == environment)
    assert not allowed(own, "logs:DeleteLogStream", streams.format(REGION, ACCOUNT, APP, environment))


def test_sessions_are_written_to_the_log_of_the_environment(stacks: Stacks) -> None:
    for environment in ("dev", "live"):  # In both: where somebody opens it by hand, it is logged too.
        cluster = only(stacks, environment, "environment", "Cluster")
        given = cluster["Configuration"]["ExecuteCommandConfiguration"]
        assert given["Logging"] == "OVERRIDE"
        assert given["LogConfiguration"]["CloudWatchEncryptionEnabled"] == "true"
        assert given["LogConfiguration"]["CloudWatchLogGroupName"]


def test_without_it_nothing_of_it_is_generated(stacks_of: Callable[..., Stacks]) -> None:
    text = json.dumps([stack.template for stack in stacks_of().values()])
    for word in ("ssmmessages", "ExecuteCommand", "OpenToShells", "MountPoints", "EphemeralStorage"):
        assert word not in text
