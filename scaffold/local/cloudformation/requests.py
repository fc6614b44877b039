"""The stack or change set that a request to CloudFormation names."""

from __future__ import annotations

from scaffold.local import ministack_bridge
from scaffold.local.protocol import Document
from scaffold.local.wire import parameter


def find_stack(name: str) -> Document | None:
    """The stack of a name or id, unless it is deleted."""
    for stack in ministack_bridge.stack_records():
        if name in (stack["StackName"], stack["StackId"]) and stack["StackStatus"] != "DELETE_COMPLETE":
            return stack
    return None


def find_change_set(parameters: Document) -> Document | None:
    """The change set that a request names."""
    wanted, stack = parameter(parameters, "ChangeSetName"), parameter(parameters, "StackName")
    for change_set in ministack_bridge.change_set_records():
        if wanted == change_set["ChangeSetId"]:
            return change_set
        if wanted == change_set["ChangeSetName"] and stack in (change_set["StackName"], change_set["StackId"]):
            return change_set
    return None
