"""Everything that could prevent a deletion, checked for all stacks before the first one."""

from __future__ import annotations

from scaffold.aws import data
from scaffold.aws.cloudformation.exports import importers
from scaffold.aws.cloudformation.stacks import Stack
from scaffold.aws.session import Session
from scaffold.console.titles import physical_title
from scaffold.core.errors import ScaffoldError
from scaffold.deployment.deletion import Deletion
from scaffold.deployment.teardown import StackGroup


def check_deletable(session: Session, steps: list[Deletion], again: str) -> None:
    """Refuse a teardown that CloudFormation would refuse half-way.

    Args:
        again: The command to repeat afterwards.

    Raises:
        ScaffoldError: A stack has termination protection, is imported from, or has data that blocks its deletion.
    """
    groups = [step for step in steps if isinstance(step, StackGroup)]
    stacks = [stack for group in groups for stack in group.group]
    _check_protection(session, stacks, again)
    _check_imports(session, stacks, again)
    for group in groups:
        for stack in group.group:
            _check_content(session, group, stack, again)


def _check_protection(session: Session, stacks: list[Stack], again: str) -> None:
    protected = [stack.name for stack in stacks if stack.protected]
    if protected:
        raise ScaffoldError(
            f"Nothing was deleted: termination protection is on for {', '.join(protected)}.",
            "To lift it, run `aws cloudformation update-termination-protection --no-enable-termination-protection "
            f"--region {session.region} --stack-name {protected[0]}`, then `{again}` again.",
        )


def _check_imports(session: Session, stacks: list[Stack], again: str) -> None:
    for stack, others in importers(session, stacks).items() if stacks else ():
        raise ScaffoldError(
            f"Nothing was deleted: an export of the stack {stack} is imported by {', '.join(others)}.",
            f"Delete that stack or its imports first, then run `{again}` again.",
        )


def _check_content(session: Session, group: StackGroup, stack: Stack, again: str) -> None:
    for resource in group.data(stack):
        if data.blocks_deletion(session, resource):
            raise ScaffoldError(
                f"Nothing was deleted: {physical_title(resource.type, resource.id)} of the stack {stack.name} is not "
                "empty, and CloudFormation does not delete it then.",
                f"Empty it, or retain it with `DeletionPolicy: Retain`; then run `{again}` again.",
            )
