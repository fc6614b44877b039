"""The stacks of a service in an account, including those of environments that its answers no longer name."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from scaffold.aws.cloudformation.stacks import Stack, find, find_all, find_deleted
from scaffold.aws.session import Session
from scaffold.deployment.elsewhere import find_elsewhere
from scaffold.deployment.ownership import check_stacks
from scaffold.service import names, stack_kinds
from scaffold.service.service import Service
from scaffold.service.stack_kinds import Deployer, StackId, identify


@dataclass(frozen=True)
class Inventory:
    """The stacks of a service.

    Attributes:
        stacks: The service's own stacks.
        deleted: Its own stacks that are deleted; an interrupted teardown is continued from them.
        environments: The environments of the answers, then others that have or had stacks.
        foreign: Stacks with a name of this service and another owner.
    """

    stacks: dict[StackId, Stack] = field(default_factory=dict)
    deleted: dict[StackId, list[Stack]] = field(default_factory=dict)
    environments: tuple[str, ...] = ()
    foreign: dict[StackId, Stack] = field(default_factory=dict)

    def owns(self, environment: str | None) -> bool:
        """Whether log groups and task definitions with an environment's names belong to the service.

        They do if a release has filled a stack of the environment, now or before its deletion, and no other owner has
        one now.

        Args:
            environment: None for the stacks that the service has once.
        """
        if environment is None:
            own = any(one.environment is None for one in (*self.stacks, *self.deleted))
        else:
            own = self._runs(environment) or bool(self._deletions(environment))
        return own and not any(one.environment == environment for one in self.foreign)

    def owned_until(self, environment: str) -> datetime | None:
        """When an environment's last stack was deleted that a release had filled: what is created later under its
        names is not the service's. None while it has such stacks.
        """
        return None if self._runs(environment) else max(self._deletions(environment), default=None)

    def _runs(self, environment: str) -> bool:
        return any(_filled(one, stack) for one, stack in self.stacks.items() if one.environment == environment)

    def _deletions(self, environment: str) -> list[datetime]:
        ours = [(one, stack) for one, stacks in self.deleted.items() for stack in stacks]
        filled = [stack for one, stack in ours if one.environment == environment and _filled(one, stack)]
        return [stack.deleted for stack in filled if stack.deleted]

    def in_order_of_deletion(
        self, environments: Sequence[str], *, whole: bool, with_data: bool = True
    ) -> list[list[Stack]]:
        """Groups of stacks that can be deleted in parallel, one group after the other.

        Args:
            environments: The environments whose stacks are included.
            whole: Whether the stacks are included that the service has once.
            with_data: Whether those of data are included.
        """
        groups = []
        for kind in reversed(stack_kinds.STACK_KINDS):
            # The network cannot be deleted while a database is in it, whose deletion leaves a snapshot.
            if kind.data and kind is not stack_kinds.DATABASE and not with_data:
                continue
            if kind.per_environment:
                ids = [StackId(kind, environment) for environment in environments]
            else:
                ids = [StackId(kind)] if whole else []
            groups.append([self.stacks[one] for one in ids if one in self.stacks])
        return [group for group in groups if group]


def live_stacks(
    session: Session, service: Service, root_commit: str, command: str
) -> tuple[dict[StackId, Stack], dict[StackId, Stack]]:
    """The stacks that have a name of the service: its own, and those of other owners.

    Args:
        root_commit: The root commit of this service.
        command: The command that needs them.

    Raises:
        ScaffoldError: Another service of the same name has deployed one of them.
    """
    stacks = find_all(session)
    existing = [*stacks.values(), *find_elsewhere(session, service, stacks.values()).values()]
    check_stacks(service, root_commit, existing, command)
    return _by_owner(service, existing)


def restored_database(session: Session, service: Service, environment: str) -> Stack | None:
    """The stack of the database that is restored beside an environment's; None where there is none.

    It is of no kind: a person makes it with a script of the service, and deletes it by hand. Whether tasks use it is in
    the template of another stack, and changes with releases; what it holds deserves the same care before.
    """
    if not service.has(StackId(stack_kinds.DATABASE, environment)):
        return None
    stack = find(session, names.restored_database(service.app_name, environment))
    return stack if stack and owned(service, stack) else None


def left_environments(service: Service, existing: Iterable[Stack]) -> tuple[str, ...]:
    """The environments that the answers no longer name, and that still have stacks."""
    own, _ = _by_owner(service, (stack for stack in existing if stack.status != "REVIEW_IN_PROGRESS"))
    return tuple(sorted({one.environment for one in own if one.environment} - set(service.environments)))


def take_inventory(session: Session, service: Service, root_commit: str, command: str) -> Inventory:
    """Find the stacks of a service.

    Takes the arguments of `live_stacks`, and raises what it raises.
    """
    app = service.app_name
    stacks, foreign = live_stacks(session, service, root_commit, command)
    deleted: dict[StackId, list[Stack]] = {}
    for stack in find_deleted(session, lambda name: identify(app, name) is not None):
        own = owned(service, stack) and stack.root_commit in (None, root_commit)
        if own and (stack_id := identify(app, stack.name)):
            deleted.setdefault(stack_id, []).append(stack)
    others = (stack_id.environment for stack_id in (*stacks, *deleted) if stack_id.environment)
    return Inventory(stacks, deleted, tuple(dict.fromkeys((*service.environments, *others))), foreign)


def _filled(stack_id: StackId, stack: Stack) -> bool:
    """Whether a stack is of the pipeline's, and more than the placeholder. Data may be left of what was deleted."""
    return not stack_id.kind.data and stack_id.kind.deployer is Deployer.PIPELINE and stack.released


def _by_owner(service: Service, existing: Iterable[Stack]) -> tuple[dict[StackId, Stack], dict[StackId, Stack]]:
    own: dict[StackId, Stack] = {}
    foreign: dict[StackId, Stack] = {}
    for stack in existing:
        if stack_id := identify(service.app_name, stack.name):
            (own if owned(service, stack) else foreign)[stack_id] = stack
    return own, foreign


def owned(service: Service, stack: Stack) -> bool:
    """Whether a stack with a name of the service is its own."""
    owner = stack.tags.get(names.TAG_SERVICE)
    if owner is not None:
        return owner == service.app_name
    # Stacks that the pipeline creates without a configuration file have no tags, but the service's deploy role. A
    # stack in review may have neither, and has no resources.
    with_deploy_role = stack.role is not None and f":role{names.iam_path(service.app_name)}" in stack.role
    return with_deploy_role or stack.status == "REVIEW_IN_PROGRESS"
