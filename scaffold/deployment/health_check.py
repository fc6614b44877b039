"""When production answers what its health check asks for: its alarm may not ring for a release that is to come."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Any

from scaffold.aws.cloudformation import templates
from scaffold.aws.cloudformation.templates import StackSpec
from scaffold.deployment.stack_step import ExistingStacks, StackStep
from scaffold.service.service import Service
from scaffold.service.stack_kinds import DOMAIN, ENVIRONMENT, HEALTH_CHECK, SERVICE, StackId

_NAME, _PATH = "DomainName", "HealthPath"


def wait_for_release(service: Service, existing: ExistingStacks, steps: Iterable[StackStep]) -> None:
    """Let a health check among the stacks wait for the release that brings what it asks for."""
    for step in steps:
        if step.spec.kind is HEALTH_CHECK:
            step.awaits_release = partial(awaits_release, service, step.spec, service.production, existing)


def awaits_release(service: Service, spec: StackSpec, environment: str, existing: ExistingStacks) -> bool:
    """Whether a release has yet to bring the name or the path that a health check asks for.

    Args:
        spec: The stack of the health check, and `environment` the environment that it asks.
    """
    kinds = DOMAIN, ENVIRONMENT, SERVICE
    found = [existing.stacks.get(StackId(kind, environment).name(service.app_name)) for kind in kinds]
    domain, balancer, _ = found
    if domain is None or balancer is None or not all(one and one.released for one in found):
        return True
    if domain.parameters.get(_NAME) != spec.parameters.get(_NAME):
        return True
    return spec.parameters.get(_PATH) not in _health_paths(existing.template(balancer))


def _health_paths(template: Any) -> set[Any]:
    """The paths that a load balancer asks the tasks for."""
    resources = templates.parse(template).get("Resources", {}).values()
    return {one.get("Properties", {}).get("HealthCheckPath") for one in resources}
