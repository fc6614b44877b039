"""What of a service exists in an account, whatever its answers say by now."""

from __future__ import annotations

from dataclasses import dataclass, field

from scaffold.aws.cloudformation.stacks import Stack, as_stack
from scaffold.aws.session import Account
from scaffold.service import names
from scaffold.service.service import Service


@dataclass(frozen=True)
class Inventory:
    """The stacks of a service.

    Attributes:
        environments: Each environment's stacks by their kind; environments of the answers come first.
        pipeline: The pipeline's stack, if any.
        foundation: The foundation's stack, if any.
        foreign: Stacks that bear a name of this service and belong to somebody else.
    """

    environments: dict[str, dict[str, Stack]] = field(default_factory=dict)
    pipeline: Stack | None = None
    foundation: Stack | None = None
    foreign: tuple[Stack, ...] = ()

    @property
    def deploy_role(self) -> str | None:
        """The role that the pipeline's and the environments' stacks are worked on with."""
        return self.foundation.outputs.get("DeployRoleArn") if self.foundation else None

    def of_kind(self, kind: str, environments: tuple[str, ...]) -> list[Stack]:
        """The stacks of one kind in the given environments.

        Args:
            kind: One of names.ENVIRONMENT_STACK_KINDS.
            environments: The names of the environments.
        """
        return [stack for name in environments if (stack := self.environments.get(name, {}).get(kind))]


def take(account: Account, service: Service) -> Inventory:
    """Find the stacks of a service: those that its answers name, and those of environments that it once had.

    Args:
        account: The account.
        service: The service.
    """
    environments: dict[str, dict[str, Stack]] = {name: {} for name in service.environments}
    single: dict[str, Stack] = {}
    foreign = []
    app = service.app_name
    for stack in _all_stacks(account):
        environment = names.environment_of_stack(app, stack.name)
        if environment is None and stack.name not in (names.foundation_stack(app), names.pipeline_stack(app)):
            continue
        if not _ours(service, stack):
            foreign.append(stack)
        elif environment is None:
            single[stack.name] = stack
        else:
            kind = stack.name.removeprefix(f"{app}-{environment}-")
            environments.setdefault(environment, {})[kind] = stack
    return Inventory(
        environments=environments,
        pipeline=single.get(names.pipeline_stack(app)),
        foundation=single.get(names.foundation_stack(app)),
        foreign=tuple(foreign),
    )


def _ours(service: Service, stack: Stack) -> bool:
    owner = stack.tags.get(names.TAG_SERVICE)
    if owner is not None:
        return owner == service.app_name
    # Stacks that the pipeline makes without a configuration file have no tags, but remember the service's deploy
    # role; one that only waits for its first change set may have neither, and holds nothing.
    of_pipeline = stack.role is not None and f":role{names.role_path(service.app_name)}" in stack.role
    return of_pipeline or stack.status == "REVIEW_IN_PROGRESS"


def _all_stacks(account: Account) -> list[Stack]:
    pages = account.client("cloudformation").get_paginator("describe_stacks").paginate()
    stacks = [as_stack(described) for page in pages for described in page["Stacks"]]
    return [stack for stack in stacks if stack.status != "DELETE_COMPLETE"]
