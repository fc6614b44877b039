"""What has to follow an update, beside the commit."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from scaffold.service.build_vpc import leave_commands, tests_leave_commands
from scaffold.service.names import APPROVAL_RULES
from scaffold.service.service import approval_rule_file
from scaffold.service.stack_kinds import BUILD_VPC, HEALTH_CHECK, STACK_KINDS, Deployer
from scaffold.update.domains import ALWAYS_ANSWERED, domain_names, of_domain, of_health_check, waits_for_release
from scaffold.update.environments import environment_names

_APPROVAL_RULES = tuple(map(approval_rule_file, APPROVAL_RULES))
# The pipeline updates their stacks, and may create none.
_OF_THE_DELIVERY = frozenset(
    f"infrastructure/{kind.name}.yaml" for kind in STACK_KINDS if kind.deployer is Deployer.ITSELF
)

# Those that only some services have: they are left where the answer is turned off.
_OPTIONAL = tuple(kind.name for kind in STACK_KINDS if kind.optional and kind is not BUILD_VPC)
# The questions about data.
_DATA = ("buckets", "queues", "tables")
_EVERYBODY = "0.0.0.0/0"
_NAT = "nat_gateway"
# What runs uses permissions that `scaffold deploy` takes away when one of these is turned off, with the value for that.
_TAKE_PERMISSIONS = {"database": "none", "observability": "off"}
# Without a new stack, which `scaffold deploy` creates, the pipeline releases nothing; but it needs no health check.
_STACKS = frozenset(f"infrastructure/{kind.name}.yaml" for kind in STACK_KINDS if kind is not HEALTH_CHECK)
_TWO_UPDATES = (
    "What is new here needs `scaffold deploy` before its release, and what is turned off needs it after that: make two "
    "updates of this one, and release the first before you make the second."
)


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
        release_first: Whether `scaffold deploy` has to follow the release instead: what runs still uses permissions
            that it takes away.
        left: The kinds of stack that the service no longer has; `scaffold deploy` after the release deletes what is
            left of them, or says how.
        deploy_again: Whether `scaffold deploy` has to follow the release once more: until then, roles keep what the
            release needs to delete or replace.
        health_check_again: Whether it has to for the health check, which asks for what has been released.
    """

    deploy: bool
    new_environments: tuple[str, ...]
    removed_environments: tuple[str, ...]
    first: tuple[str, ...] = ()
    leave_vpc: tuple[str, ...] = ()
    release_first: bool = False
    left: tuple[str, ...] = ()
    deploy_again: bool = False
    health_check_again: bool = False


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
    release_first = any(_turned_off(before, after, name, off) for name, off in _TAKE_PERMISSIONS.items()) or bool(
        _with_alarm_email(before) and not _with_alarm_email(after)
    )
    first = tuple(_first(before, after)) if old else ()
    if (release_first or leaves) and (added or not _STACKS.isdisjoint(created)):
        first += (_TWO_UPDATES,)
    return FollowUp(
        deploy=deploy or leaves or release_first,
        new_environments=added,
        removed_environments=removed,
        first=first,
        leave_vpc=_leave_vpc(before, after) if leaves else (),
        release_first=release_first,
        left=tuple(name for name in _OPTIONAL if f"infrastructure/{name}.yaml" in deleted),
        deploy_again=bool(old) and _keeps_permissions(before, after),
        health_check_again=bool(old) and waits_for_release(before, after),
    )


def _keeps_permissions(before: Mapping[str, Any], after: Mapping[str, Any]) -> bool:
    """Whether `scaffold deploy` leaves permissions of the answers before it until another one after the release."""
    ended = [kind for kind in _DATA if _names(before, kind) and not _names(after, kind)]
    if ended or (before.get("flow_logs") and not after.get("flow_logs")):
        return True
    if not (before.get("domain_name") and after.get("domain_name")):
        return False
    had, has = domain_names(before), domain_names(after)
    return any(had[one] != has[one] for one in had if one in has)


def _turned_off(before: Mapping[str, Any], after: Mapping[str, Any], name: str, off: str) -> bool:
    return (before.get(name) or off) != off and (after.get(name) or off) == off


def _leave_vpc(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[str, ...]:
    app, region = str(after["app_name"]), str(after["aws_region"])
    internal = before.get("load_balancer") == "internal"
    # The tests of an environment are in the VPC where not everybody reaches the service.
    if not internal and before.get("ingress_cidrs", _EVERYBODY).strip() == _EVERYBODY:
        return leave_commands(app, region)
    load_test = bool(before.get("load_test") and after.get("load_test"))
    return (*leave_commands(app, region), *tests_leave_commands(app, region, load_test=load_test))


def _first(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[str]:
    scheme, new_scheme = (answers.get("load_balancer") or "public" for answers in (before, after))
    if scheme != new_scheme:
        yield (
            f"AWS cannot make a {scheme} load balancer {new_scheme}, and the stack policy would stop its replacement: "
            'first delete the environments that exist, as "Move an environment to another VPC" in README.md says.'
        )
    if gone := _gone_data(before, after):
        yield (
            f"Running tasks lose {', '.join(gone)} before the new ones start: first release an application without "
            "them. They stay in the account with their data, and cost money, until you delete them by hand."
        )
    if (told := _with_alarm_email(before)) and not _with_alarm_email(after):
        yield (
            f"Alarms of {', '.join(told)} reach nobody between `scaffold deploy`, which takes the key from their "
            "topics, and the release, which gives them the topic of the service: first release this update, and run "
            "`scaffold deploy` after that. It names the stacks that are left, and the commands that delete them."
        )
    if moved := _leaving_private_subnets(before, after):
        files = ", ".join(f"infrastructure/{name}/network.json" for name in moved)
        yield (
            f"CloudFormation cannot delete the private subnets of {', '.join(moved)} while tasks run in them: first "
            f'release this update with "{_NAT}" kept in {files}, and "public_ip" there after that.'
        )
    if before.get("flow_logs") and not after.get("flow_logs"):
        yield (
            "The release deletes the flow logs of the VPCs, and the deploy roles keep the permission for it until "
            "`scaffold deploy` is run once more after that."
        )
    yield from of_domain(before, after)
    if _turned_off(before, after, "database", "none"):
        yield (
            "Running tasks lose the database before the new ones start: first release an application that does not "
            "use it. Each database stays in the account with its data, and costs money, until you delete it by hand: "
            "`scaffold deploy` says how, after the release."
        )
    if _turned_off(before, after, "observability", "off"):
        yield (
            "Release this update with nothing else: a deployment that ECS takes back would name the alarm on "
            "operations, which is gone."
        )
    if before.get("office_hours") and not after.get("office_hours"):
        yield (
            "Release this update while the environments are awake, or run `scaffold wake` for each before: nothing "
            "wakes an environment that is asleep any more, not even the release."
        )
    yield from of_health_check(before, after)
    answered, asked = (answers.get("health_path") or ALWAYS_ANSWERED for answers in (before, after))
    if asked not in (answered, ALWAYS_ANSWERED):
        yield (
            f"The load balancer asks the running tasks for {asked} before the new ones start: first release tasks that "
            'answer it, as "Port and health check" in README.md says.'
        )


def _gone_data(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    return [f"{name} ({kind})" for kind in _DATA for name in _names(before, kind) if name not in _names(after, kind)]


def _names(answers: Mapping[str, Any], kind: str) -> list[str]:
    return [name.strip() for name in str(answers.get(kind) or "").split(",") if name.strip()]


def _leaving_private_subnets(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """The environments whose tasks get public addresses in the same VPC."""

    def own(answers: Mapping[str, Any], environment: str, key: str) -> str:
        overrides = (answers.get("environment_overrides") or {}).get(environment) or {}
        return str(overrides.get(key, answers.get(key)) or "")

    old, new = environment_names(before), environment_names(after)
    placed = [
        name for name in old if name in new and not own(before, name, "vpc_id") and not own(after, name, "vpc_id")
    ]
    private = [name for name in placed if own(before, name, "egress") == _NAT]
    return [name for name in private if own(after, name, "egress") != _NAT]


def _with_alarm_email(answers: Mapping[str, Any]) -> list[str]:
    overrides = answers.get("environment_overrides") or {}
    return [name for name, own in overrides.items() if isinstance(own, dict) and own.get("alarm_email")]


def _is_deployed_by_person(path: str) -> bool:
    """Whether a file is the template or the configuration of a stack that the pipeline does not update."""
    folder, _, name = path.rpartition("/")
    stem, _, suffix = name.rpartition(".")
    kinds = {kind.name for kind in STACK_KINDS if kind.deployer is Deployer.PERSON}
    in_infrastructure = folder == "infrastructure" or folder.startswith("infrastructure/")
    return path in _APPROVAL_RULES or (in_infrastructure and suffix in ("yaml", "json") and stem in kinds)
