"""Deletes the stacks of a run: in rounds, since those that are imported from, or give others their role, go last."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from botocore.exceptions import ClientError

from .account import Account, code, said
from .state import TAG, Resource, State

_ROUNDS = 5
_LONGEST = 1800.0


class Kept(Exception):
    """A stack is left as it is; the message says why."""


def delete_all(account: Account, state: State, tell: Callable[[str], None]) -> list[str]:
    """Delete the stacks of a run: a sentence for each that is left."""
    left: list[str] = []
    for _ in range(_ROUNDS):
        waiting = [one for one in reversed(state.resources) if one.kind == "stack"]
        if not waiting:
            return []
        tell(f"Cleaning up: {len(waiting)} stacks")
        left = _round(account, state, waiting)
    return left


def _round(account: Account, state: State, waiting: list[Resource]) -> list[str]:
    """Delete what can be deleted now."""
    left: list[str] = []
    found: list[tuple[Resource, dict[str, Any]]] = []
    for resource in waiting:
        try:
            stack = own(account, state, resource.name)
        except Kept as kept:
            left.append(f"The stack {resource.name} is left: {kept}")
            continue
        if stack is None:
            state.forget(resource)
        else:
            found.append((resource, stack))
    # The role of a stack has to exist until the stack is deleted.
    first = [one for one in found if "RoleARN" in one[1]] or found
    for resource, stack in first:
        if problem := _begin(account, stack):
            left.append(f"The stack {resource.name} is left: {problem}")
    for resource, stack in first:
        if status := _end(account, stack["StackId"]):
            left.append(f"The stack {resource.name} is left: its status is {status}.")
        else:
            state.forget(resource)
    return left


def own(account: Account, state: State, name: str) -> dict[str, Any] | None:
    """A stack of the run; None where it does not exist.

    Raises:
        Kept: It is not of this run.
    """
    try:
        stack: dict[str, Any] = account.client("cloudformation").describe_stacks(StackName=name)["Stacks"][0]
    except ClientError as error:
        if "does not exist" in said(error):
            return None
        raise
    if stack["StackStatus"] == "DELETE_COMPLETE":
        return None
    if not is_own(state, stack):
        raise Kept(f"it does not have the tag {TAG} of this run, so that something else has created it.")
    return stack


def is_own(state: State, stack: dict[str, Any]) -> bool:
    """Whether a stack has the tag of the run."""
    return {"Key": TAG, "Value": state.run} in stack.get("Tags", [])


def lift_protection(account: Account, stack: dict[str, Any]) -> None:
    """Lift the termination protection of a stack of the run."""
    if stack.get("EnableTerminationProtection"):
        account.client("cloudformation").update_termination_protection(
            EnableTerminationProtection=False, StackName=stack["StackId"]
        )


def _begin(account: Account, stack: dict[str, Any]) -> str:
    """Begin a deletion: why it cannot begin, or nothing."""
    cloudformation = account.client("cloudformation")
    try:
        lift_protection(account, stack)
        for page in cloudformation.get_paginator("list_stack_resources").paginate(StackName=stack["StackId"]):
            for one in page["StackResourceSummaries"]:
                if one["ResourceType"] == "AWS::S3::Bucket" and one.get("PhysicalResourceId"):
                    empty(account, one["PhysicalResourceId"])
        cloudformation.delete_stack(StackName=stack["StackId"])
    except ClientError as error:
        return said(error)
    return ""


def _end(account: Account, identifier: str) -> str:
    """Wait for the end of a deletion: the status of a stack that is left, or nothing."""
    end = time.monotonic() + _LONGEST
    while True:
        try:
            stack = account.client("cloudformation").describe_stacks(StackName=identifier)["Stacks"][0]
        except ClientError as error:
            if "does not exist" in said(error):
                return ""
            raise
        status = str(stack["StackStatus"])
        if status == "DELETE_COMPLETE":
            return ""
        if not status.endswith("IN_PROGRESS") or time.monotonic() > end:
            return status
        time.sleep(0.2 if account.local else 5)


def empty(account: Account, bucket: str) -> None:
    """Delete everything in a bucket of the run."""
    s3 = account.client("s3")
    try:
        for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket):
            for one in [*page.get("Versions", []), *page.get("DeleteMarkers", [])]:
                s3.delete_object(Bucket=bucket, Key=one["Key"], VersionId=one["VersionId"])
    except ClientError as error:
        if code(error) != "NoSuchBucket":
            raise
