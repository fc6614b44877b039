"""The stacks of a service in an account, including those of environments that its answers no longer name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from scaffold.aws.cloudformation.request import Foundation
from scaffold.aws.cloudformation.stacks import Stack, as_stack
from scaffold.aws.session import Session
from scaffold.service import names, stack_kinds
from scaffold.service.service import Service
from scaffold.service.stack_kinds import FOUNDATION, StackId, identify


@dataclass(frozen=True)
class Inventory:
    """The stacks of a service.

    Attributes:
        stacks: The service's own stacks.
        environments: The environments of the answers, then others that have stacks.
        foreign: Stacks with a name of this service and another owner.
    """

    stacks: dict[StackId, Stack] = field(default_factory=dict)
    environments: tuple[str, ...] = ()
    foreign: tuple[Stack, ...] = ()

    @property
    def foundation(self) -> Foundation:
        """The outputs of the foundation's stack, as far as it exists."""
        stack = self.stacks.get(StackId(FOUNDATION))
        return Foundation.of(stack.outputs) if stack else Foundation()

    def in_order_of_deletion(self, environments: Sequence[str], *, whole: bool) -> list[list[Stack]]:
        """Groups of stacks that can be deleted in parallel, one group after the other.

        Args:
            environments: The environments whose stacks are included.
            whole: Whether the stacks are included that the service has once.
        """
        groups = []
        for kind in reversed(stack_kinds.STACK_KINDS):
            if kind.per_environment:
                ids = [StackId(kind, environment) for environment in environments]
            else:
                ids = [StackId(kind)] if whole else []
            groups.append([self.stacks[one] for one in ids if one in self.stacks])
        return [group for group in groups if group]


def take_inventory(session: Session, service: Service) -> Inventory:
    """Find the stacks of a service."""
    environments = dict.fromkeys(service.environments)
    stacks: dict[StackId, Stack] = {}
    foreign = []
    for stack in _all_stacks(session):
        stack_id = identify(service.app_name, stack.name)
        if stack_id is None:
            continue
        if not _owned(service, stack):
            foreign.append(stack)
            continue
        stacks[stack_id] = stack
        if stack_id.environment:
            environments.setdefault(stack_id.environment)
    return Inventory(stacks, tuple(environments), tuple(foreign))


def _owned(service: Service, stack: Stack) -> bool:
    owner = stack.tags.get(names.TAG_SERVICE)
    if owner is not None:
        return owner == service.app_name
    # Stacks that the pipeline creates without a configuration file have no tags, but the service's deploy role. A
    # stack in review may have neither, and has no resources.
    with_deploy_role = stack.role is not None and f":role{names.role_path(service.app_name)}" in stack.role
    return with_deploy_role or stack.status == "REVIEW_IN_PROGRESS"


def _all_stacks(session: Session) -> list[Stack]:
    pages = session.client("cloudformation").get_paginator("describe_stacks").paginate()
    stacks = [as_stack(described) for page in pages for described in page["Stacks"]]
    return [stack for stack in stacks if stack.status != "DELETE_COMPLETE"]
