"""Drift-aware change sets: they bring resources back to a template that has not changed."""

from __future__ import annotations

from scaffold.aws.cloudformation import change_sets
from scaffold.aws.cloudformation.stack_events import Watch, explain, follow, newest_event
from scaffold.aws.cloudformation.stacks import Stack
from scaffold.aws.session import Session
from scaffold.console.console import Console
from scaffold.service import names


def revert(session: Session, stack: Stack, console: Console, *, again: str) -> None:
    """Bring every resource of a stack back to the template, and wait for it. Needs no file of the service.

    Args:
        again: The command to repeat after a failure.

    Raises:
        ScaffoldError: CloudFormation failed.
    """
    request = {
        # The bucket for large templates may be one of the resources to bring back.
        "UsePreviousTemplate": True,
        "Parameters": [{"ParameterKey": key, "UsePreviousValue": True} for key in stack.parameters],
        "Tags": [{"Key": key, "Value": value} for key, value in stack.tags.items()],
        "Capabilities": ["CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"],
        "DeploymentMode": "REVERT_DRIFT",
    }
    change_set = change_sets.request(session, stack.id, stack.name, names.REPAIR_CHANGE_SET, request)
    if not change_set.changes:
        change_sets.delete(session, change_set)
        return
    watch = Watch(session, stack.id, stack.name, after=newest_event(session, stack.id))
    change_sets.execute(session, change_set)
    follow([watch], console)
    if watch.status != "UPDATE_COMPLETE":
        raise explain(watch, "updated", again)
