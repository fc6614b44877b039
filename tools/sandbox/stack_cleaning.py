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
    # The role of a stack has to exist until the stack is deleted.
    left: dict[str, str] = {}
    for with_role in (True, False):
        for _ in range(_ROUNDS):
            stacks = _existing(account, state, left)
            needed = frozenset(stack["RoleARN"].rpartition("/")[2] for _, stack in stacks if "RoleARN" in stack)
            now = [one for one in stacks if ("RoleARN" in one[1]) is with_role]
            if not now:
                break
            tell(f"Cleaning up: {len(now)} stacks")
            _round(account, state, now, frozenset() if with_role else needed, left)
    remaining = [one.name for one in state.resources if one.kind == "stack"]
    return [f"The stack {name} is left: {left.get(name, 'it was not deleted.')}" for name in reversed(remaining)]


def _existing(account: Account, state: State, left: dict[str, str]) -> list[tuple[Resource, dict[str, Any]]]:
    """The stacks of the run that exist, the newest first; what is not of the run, or cannot be read, is left."""
    found = []
    for resource in [one for one in reversed(state.resources) if one.kind == "stack"]:
        try:
            stack = own(account, state, resource.name)
            if stack is None:
                state.forget(resource)
            else:
                found.append((resource, stack))
        except Exception as error:
            left[resource.name] = said(error)
    return found


def _round(
    account: Account,
    state: State,
    stacks: list[tuple[Resource, dict[str, Any]]],
    needed: frozenset[str],
    left: dict[str, str],
) -> None:
    """Delete what can be deleted now. One stack that is left stops no other.

    Args:
        needed: The names of the roles of stacks that still exist.
        left: Why stacks are left, by their names; is changed.
    """
    begun = []
    for resource, stack in stacks:
        try:
            _begin(account, stack, needed)
            begun.append((resource, stack))
        except Exception as error:
            left[resource.name] = said(error)
    for resource, stack in begun:
        try:
            if status := _end(account, stack["StackId"]):
                left[resource.name] = f"its status is {status}."
            else:
                state.forget(resource)
        except Exception as error:
            left[resource.name] = said(error)


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


def _begin(account: Account, stack: dict[str, Any], needed: frozenset[str]) -> None:
    """Begin a deletion.

    Raises:
        Kept: One of its roles is that of another stack.
    """
    cloudformation = account.client("cloudformation")
    pages = cloudformation.get_paginator("list_stack_resources").paginate(StackName=stack["StackId"])
    found = [
        (one["ResourceType"], one["PhysicalResourceId"])
        for page in pages
        for one in page["StackResourceSummaries"]
        if one.get("PhysicalResourceId")
    ]
    for kind, name in found:
        if kind == "AWS::IAM::Role" and name in needed:
            raise Kept(f"its role {name} is that of a stack which still exists.")
    lift_protection(account, stack)
    for kind, name in found:
        if kind == "AWS::S3::Bucket":
            empty(account, name)
    cloudformation.delete_stack(StackName=stack["StackId"])


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
