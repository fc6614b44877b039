"""What has to follow an update, beside the commit."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from scaffold.service.build_vpc import leave_commands
from scaffold.service.names import APPROVAL_RULES
from scaffold.service.service import approval_rule_file
from scaffold.service.stack_kinds import BUILD_VPC, STACK_KINDS, Deployer
from scaffold.update.environments import environment_names

_APPROVAL_RULES = tuple(map(approval_rule_file, APPROVAL_RULES))
# The pipeline updates their stacks, and may create none.
_OF_THE_DELIVERY = frozenset(
    f"infrastructure/{kind.name}.yaml" for kind in STACK_KINDS if kind.deployer is Deployer.ITSELF
)

# The generated application answers this path, whatever its health check is.
_ALWAYS_ANSWERED = "/health"


@dataclass(frozen=True)
class FollowUp:
    """What has to follow.

    Attributes:
        deploy: Whether `scaffold deploy` has to follow the merge to main.
        new_environments: Environments whose stacks it prepares.
        removed_environments: Environments whose stacks stay until they are deleted.
        first: What has to be released before this update is, a sentence each.
        leave_vpc: The commands that take the builds out of their VPC before the merge; the deployment follows its
            release. None where they stay as they are.
    """

    deploy: bool
    new_environments: tuple[str, ...]
    removed_environments: tuple[str, ...]
    first: tuple[str, ...] = ()
    leave_vpc: tuple[str, ...] = ()


def follow_up(
    before: Mapping[str, Any],
    after: Mapping[str, Any],
    changed: Collection[str],
    created: Collection[str],
    deleted: Collection[str],
) -> FollowUp:
    """Find out what has to follow.

    Args:
        before: The answers before the update.
        after: The answers after it.
        changed: The changed files of the service, without the deleted ones.
        created: Those of them that are new under their path.
        deleted: The deleted files.
    """
    old, new = environment_names(before), environment_names(after)
    added = tuple(name for name in new if name not in old)
    removed = tuple(name for name in old if name not in new)
    protection = bool(old) and before.get("production") != after.get("production")
    # Files that are gone deploy nothing, but without its file an approval rule goes too.
    by_hand = any(_is_deployed_by_person(path) for path in changed) or not set(_APPROVAL_RULES).isdisjoint(deleted)
    new_stack = not _OF_THE_DELIVERY.isdisjoint(created)
    deploy = by_hand or protection or new_stack or bool(added)
    leaves = f"infrastructure/{BUILD_VPC.name}.yaml" in deleted
    return FollowUp(
        deploy=deploy or leaves,
        new_environments=added,
        removed_environments=removed,
        first=tuple(_first(before, after)) if old else (),
        leave_vpc=leave_commands(str(after["app_name"]), str(after["aws_region"])) if leaves else (),
    )


def _first(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[str]:
    scheme, new_scheme = (answers.get("load_balancer") or "public" for answers in (before, after))
    if scheme != new_scheme:
        yield (
            f"AWS cannot make a {scheme} load balancer {new_scheme}, and the stack policy would stop its replacement: "
            'first delete the environments that exist, as "Move an environment to another VPC" in README.md says.'
        )
    answered, asked = (answers.get("health_path") or _ALWAYS_ANSWERED for answers in (before, after))
    if asked not in (answered, _ALWAYS_ANSWERED):
        yield (
            f"The load balancer asks the running tasks for {asked} before the new ones start: first release tasks that "
            'answer it, as "Port and health check" in README.md says.'
        )


def _is_deployed_by_person(path: str) -> bool:
    """Whether a file is the template or the configuration of a stack that the pipeline does not update."""
    folder, _, name = path.rpartition("/")
    stem, _, suffix = name.rpartition(".")
    kinds = {kind.name for kind in STACK_KINDS if kind.deployer is Deployer.PERSON}
    in_infrastructure = folder == "infrastructure" or folder.startswith("infrastructure/")
    return path in _APPROVAL_RULES or (in_infrastructure and suffix in ("yaml", "json") and stem in kinds)
