"""Whether the account's quotas suffice for the first run of new environments."""

from __future__ import annotations

import math
import re
import shlex
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from scaffold.aws import service_quotas
from scaffold.aws.cloudformation import templates
from scaffold.aws.cloudformation.stacks import Stack
from scaffold.aws.service_quotas import Quota, QuotaId
from scaffold.aws.session import Session
from scaffold.console.console import Console
from scaffold.core.errors import ScaffoldError
from scaffold.service.service import Service
from scaffold.service.stack_kinds import (
    BUILD,
    CHECKS,
    DATA,
    DATABASE,
    ENVIRONMENT,
    NETWORK,
    PLANS,
    PULL_REQUESTS,
    SCANS,
    SERVICE,
    TESTS,
    UPDATES,
    WAF,
    WAKE,
    StackId,
    StackKind,
    deployed_by_pipeline,
)

# A deployment runs the new tasks beside the old ones, with every strategy (MaximumPercent: 200).
_TASKS_DURING_A_DEPLOYMENT = 2
# What the template of a stack has, and its quota. Only one region tells that of buckets, and queues have none.
_OF_STACKS = (
    (ENVIRONMENT, "AWS::ElasticLoadBalancingV2::LoadBalancer", service_quotas.LOAD_BALANCERS),
    (DATA, "AWS::DynamoDB::Table", service_quotas.TABLES),
    (DATABASE, "AWS::RDS::DBCluster", service_quotas.DB_CLUSTERS),
    (WAF, "AWS::WAFv2::WebACL", service_quotas.WEB_ACLS),
)
# One release may be built while the plan of another waits for a third that is checked: CodeBuild fails a build over the
# quota. Builds of pull requests have other compute types, and wait for each other.
_BUILDS = defaultdict(lambda: 1, BUILD_GENERAL1_SMALL=3)


def quotas_too_small(
    session: Session, service: Service, stacks: Mapping[str, Stack], console: Console
) -> tuple[Quota, ...]:
    """The quotas that stop or limit the first run of the environments that are not deployed yet, with a warning each.

    Args:
        stacks: The account's stacks by name.
    """
    try:
        quotas = find_too_small(session, service, stacks)
    except service_quotas.Unreadable as error:
        console.note(f"The quotas that the first run needs could not be read ({error})")
        return ()
    for quota in quotas:
        console.warn(f"{describe(quota)} Request an increase: `{increase_command(session, quota)}`.")
    return quotas


def find_too_small(session: Session, service: Service, stacks: Mapping[str, Stack]) -> tuple[Quota, ...]:
    """The quotas that stop or limit the first run of the environments that are not deployed yet.

    Args:
        stacks: The account's stacks by name.

    Raises:
        Unreadable: They cannot be read.
    """
    return service_quotas.too_small(session, quota_needs(service, undeployed(service, stacks)))


def describe(quota: Quota) -> str:
    """A quota that is too small, in one sentence."""
    in_use = "" if quota.used is None else f", of which {quota.used} {'is' if quota.used == 1 else 'are'} in use"
    return f"The quota “{quota.name}” is {quota.value:g}{in_use}, and new environments need up to {quota.needed:g}."


def increase_command(session: Session, quota: Quota) -> str:
    """The command that requests as much of a quota as is needed."""
    profile = session.target.profile
    command = [
        "aws service-quotas request-service-quota-increase",
        f"--service-code {quota.service} --quota-code {quota.code}",
        f"--desired-value {math.ceil((quota.used or 0) + quota.needed)} --region {session.region}",
        *([f"--profile {shlex.quote(profile)}"] if profile else []),
    ]
    return " ".join(command)


def undeployed(service: Service, stacks: Mapping[str, Stack]) -> tuple[str, ...]:
    """The environments to which nothing has been released yet.

    Args:
        stacks: The account's stacks by name.
    """
    deployed = {
        one.environment
        for one in deployed_by_pipeline(service.environments, service.optional_kinds)
        if (stack := stacks.get(one.name(service.app_name))) and stack.released
    }
    return tuple(name for name in service.environments if name not in deployed)


def quota_needs(service: Service, environments: Iterable[str]) -> dict[QuotaId, float]:
    """How much of each quota these environments need, by the service's files."""
    needs: defaultdict[QuotaId, float] = defaultdict(float)
    new = tuple(environments)
    for environment in new:
        # An environment in a VPC that exists has no network stack.
        if network := _parameters(service, environment, NETWORK):
            needs[service_quotas.VPCS] += 1
            needs[service_quotas.ELASTIC_IPS] += network.get("Egress") == "nat_gateway"
        for kind, resource_type, quota in _OF_STACKS:
            if (service.infrastructure / environment / f"{kind.name}.json").is_file():
                needs[quota] += len(_resources(service, f"{kind.name}.yaml", resource_type))
        running = _parameters(service, environment, SERVICE)
        tasks = _number(running.get("MaxTasks"))
        on_spot = {"true": tasks, "above_first": max(tasks - 1, 0)}.get(running.get("Spot", "").lower(), 0)
        first, others = _cpu_units(service, environment)
        vcpus = first / 1024 * _TASKS_DURING_A_DEPLOYMENT
        needs[service_quotas.SPOT_VCPUS] += on_spot * vcpus
        needs[service_quotas.ON_DEMAND_VCPUS] += (tasks - on_spot) * vcpus + others / 1024
    builds = _build_environments(service) if new else set()
    return {**needs, **{quota: _BUILDS[kind[1]] for kind, quota in service_quotas.BUILDS.items() if kind in builds}}


def _parameters(service: Service, environment: str, kind: StackKind) -> dict[str, str]:
    """The parameters of an environment's stack; none where its configuration file cannot be read."""
    try:
        return templates.given_parameters(service, StackId(kind, environment))
    except ScaffoldError:
        return {}


def _cpu_units(service: Service, environment: str) -> tuple[int, int]:
    """Those of one task of the service, and of the tasks that run once, such as a migration."""
    resources = _resources(service, f"{environment}/task-definition.yaml", "AWS::ECS::TaskDefinition")
    first, *others = [_number(properties.get("Cpu")) for properties in resources] or [0]
    return first, sum(others)


def _build_environments(service: Service) -> set[tuple[str, str]]:
    projects = [
        project
        for kind in (BUILD, CHECKS, PULL_REQUESTS, PLANS, SCANS, TESTS, UPDATES, WAKE)
        for project in _resources(service, f"{kind.name}.yaml", "AWS::CodeBuild::Project")
    ]
    environments = [_mapping(properties.get("Environment")) for properties in projects]
    return {(str(one.get("Type")), str(one.get("ComputeType"))) for one in environments}


def _resources(service: Service, path: str, resource_type: str) -> list[dict[str, Any]]:
    """The properties of a template's resources of a type; none where it cannot be read."""
    try:
        template = templates.parse((service.infrastructure / path).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return []
    resources = [_mapping(one) for one in _mapping(template.get("Resources")).values()]
    return [_mapping(one.get("Properties")) for one in resources if one.get("Type") == resource_type]


def _number(value: Any) -> int:
    """Zero for what is no number, such as a reference to a parameter."""
    return int(value) if re.fullmatch(r"[0-9]{1,9}", str(value)) else 0


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
