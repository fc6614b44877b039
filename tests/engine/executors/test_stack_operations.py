"""Why an operation on a stack failed, from its events: CloudFormation leaves out what is empty."""

from __future__ import annotations

import threading
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from scaffold.engine.executors.stack_operations import OperationFailed, StackOperations

STACK = "arn:aws:cloudformation:us-east-1:000000000000:stack/shop/1"


def failure(*events: dict[str, Any]) -> str:
    """The reason after these events, the newest first as in CloudFormation's answers."""
    client = boto3.Session().client("cloudformation", "us-east-1", aws_access_key_id="a", aws_secret_access_key="b")
    stack = {"StackName": "shop", "CreationTime": 0, "StackStatus": "UPDATE_ROLLBACK_COMPLETE"}
    common = {"StackId": STACK, "StackName": "shop", "Timestamp": 0}
    given = [{"EventId": str(index), **common, **event} for index, event in enumerate(events)]
    with Stubber(client) as stub:
        stub.add_response("describe_stacks", {"Stacks": [stack]}, {"StackName": STACK})
        stub.add_response("describe_stack_events", {"StackEvents": given}, {"StackName": STACK})
        with pytest.raises(OperationFailed) as failed:
            StackOperations(client, "shop", threading.Event()).wait(STACK, "before")
    return str(failed.value)


SERVICE = {"LogicalResourceId": "Service", "ResourceStatus": "UPDATE_FAILED"}
ROLLBACK = {"LogicalResourceId": "shop", "PhysicalResourceId": STACK, "ResourceStatus": "UPDATE_ROLLBACK_IN_PROGRESS"}


@pytest.mark.parametrize(
    ("events", "reason"),
    [
        ([SERVICE], "."),
        ([SERVICE, {**SERVICE, "ResourceStatusReason": "no capacity"}], ": Service: no capacity"),
        ([{**SERVICE, "ResourceStatusReason": "Resource update cancelled"}, ROLLBACK, SERVICE], "."),
        ([{**ROLLBACK, "ResourceStatusReason": "an alarm"}, SERVICE], ": an alarm"),
    ],
)
def test_events_without_a_reason(events: list[dict[str, Any]], reason: str) -> None:
    assert failure(*events) == f"The stack shop has the status UPDATE_ROLLBACK_COMPLETE{reason}"
