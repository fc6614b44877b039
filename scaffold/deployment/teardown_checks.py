"""Everything that could prevent a deletion, checked for all stacks before the first one."""

from __future__ import annotations

import shlex

from scaffold.aws import data
from scaffold.aws.cloudformation.exports import importers
from scaffold.aws.cloudformation.stacks import Stack
from scaffold.aws.session import Session
from scaffold.console.titles import physical_title
from scaffold.core.errors import ScaffoldError
from scaffold.deployment.deletion import Deletion
from scaffold.deployment.scope import command_for
from scaffold.deployment.teardown import StackGroup

# The foundation's outputs with their ARNs.
_POLICIES_FOR_PEOPLE = ("ApproverArn", "BranchProtectionArn")


def check_deletable(session: Session, steps: list[Deletion], again: str) -> None:
    """Refuse a teardown that CloudFormation would refuse half-way.

    Args:
        again: The command to repeat afterwards.

    Raises:
        ScaffoldError: A stack has termination protection, is imported from, has a policy that people use, or data that
            blocks its deletion.
    """
    groups = [step for step in steps if isinstance(step, StackGroup)]
    stacks = [stack for group in groups for stack in group.group]
    _check_protection(session, stacks, again)
    _check_imports(session, stacks, again)
    for stack in stacks:
        _check_attachments(session, stack, again)
    for group in groups:
        for stack in group.group:
            _check_content(session, group, stack, again)


def _check_protection(session: Session, stacks: list[Stack], again: str) -> None:
    protected = [stack for stack in stacks if stack.protected]
    if protected:
        regions = sorted({stack.region for stack in protected}, key=lambda region: region != session.region)
        commands = (
            _lift(session, region, [stack.name for stack in protected if stack.region == region]) for region in regions
        )
        raise ScaffoldError(
            f"Nothing was deleted: termination protection is on for {', '.join(stack.name for stack in protected)}.",
            f"To lift it, run {' and '.join(commands)}, then `{again}` again.",
        )


def _lift(session: Session, region: str, names: list[str]) -> str:
    """The command that lifts the protection of stacks in a region."""
    lift = command_for(
        session.target,
        "aws cloudformation update-termination-protection --no-enable-termination-protection",
        f"--region {region} --stack-name",
        names[0] if len(names) == 1 else '"$stack"',
    )
    return f"`{lift}`" if len(names) == 1 else f"`for stack in {' '.join(names)}; do {lift}; done`"


def _check_imports(session: Session, stacks: list[Stack], again: str) -> None:
    for stack, others in importers(session, stacks).items() if stacks else ():
        raise ScaffoldError(
            f"Nothing was deleted: an export of the stack {stack} is imported by {', '.join(others)}.",
            f"Delete that stack or its imports first, then run `{again}` again.",
        )


def _check_attachments(session: Session, stack: Stack, again: str) -> None:
    """IAM deletes no policy that is attached, and the foundation, which has those for people, is deleted last."""
    for arn in filter(None, map(stack.outputs.get, _POLICIES_FOR_PEOPLE)):
        pages = session.client("iam").get_paginator("list_entities_for_policy").paginate(PolicyArn=arn)
        for page in pages:
            for kind in ("role", "user", "group"):
                for entity in page[f"Policy{kind.capitalize()}s"]:
                    name = entity[f"{kind.capitalize()}Name"]
                    raise ScaffoldError(
                        f"Nothing was deleted: the policy {arn.rpartition('/')[2]} is attached to the {kind} {name}.",
                        f"Detach it: `aws iam detach-{kind}-policy --{kind}-name {shlex.quote(name)} --policy-arn "
                        f"{arn}`, then run `{again}` again.",
                    )


def _check_content(session: Session, group: StackGroup, stack: Stack, again: str) -> None:
    for resource in group.data(stack):
        if data.blocks_deletion(session, resource):
            raise ScaffoldError(
                f"Nothing was deleted: {physical_title(resource.type, resource.id)} of the stack {stack.name} is not "
                "empty, and CloudFormation does not delete it then.",
                f"Empty it, or retain it with `DeletionPolicy: Retain`; then run `{again}` again.",
            )
