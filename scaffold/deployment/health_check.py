"""When production answers what its health check asks for: its alarm may not ring for a release that is to come."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

from scaffold.aws.cloudformation import comparison, templates
from scaffold.aws.cloudformation.stacks import UNFINISHED, Stack
from scaffold.aws.cloudformation.templates import StackSpec
from scaffold.aws.session import Session
from scaffold.core.errors import ScaffoldError
from scaffold.deployment.stack_step import ExistingStacks, StackStep
from scaffold.service.service import Service
from scaffold.service.stack_kinds import DOMAIN, ENVIRONMENT, HEALTH_CHECK, SERVICE, StackId

_NAME, _PATH = "DomainName", "HealthPath"
# What has the name, what has the path, and what runs.
_ASKED = DOMAIN, ENVIRONMENT, SERVICE


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
    found = [existing.stacks.get(StackId(kind, environment).name(service.app_name)) for kind in _ASKED]
    return not _answers(spec.parameters, found, existing.template)


def awaits_deployment(session: Session, service: Service, environment: str, stacks: Mapping[StackId, Stack]) -> bool:
    """Whether an environment answers what its health check asks for, and `scaffold deploy` has to follow its release.

    Only then Route 53 begins to ask, or asks for the present name and path. One call while it has to, or a release is
    to come; none otherwise, as for a service without a health check.

    Args:
        stacks: Those of the service.
    """
    stack_id = StackId(HEALTH_CHECK, environment)
    if not service.has(stack_id):
        return False
    try:
        asked = templates.given_parameters(service, stack_id)
    except ScaffoldError:  # Such as with the conflicts of an update, of which `scaffold deploy` speaks.
        return False
    deployed = stacks.get(stack_id)
    if deployed and deployed.status not in UNFINISHED and _asked(deployed.parameters) == _asked(asked):
        return False
    found = [stacks.get(StackId(kind, environment)) for kind in _ASKED]
    return _answers(asked, found, partial(comparison.template_of, session))


def _asked(parameters: Mapping[str, str]) -> tuple[str | None, str | None]:
    return parameters.get(_NAME), parameters.get(_PATH)


def _answers(asked: Mapping[str, str], found: Sequence[Stack | None], template: Callable[[Stack], Any]) -> bool:
    """Whether what is released has the name and the path that a health check asks for.

    Args:
        asked: The parameters of the health check.
        found: The stacks of `_ASKED`.
        template: Reads the template of a stack.
    """
    domain, balancer, _ = found
    if domain is None or balancer is None or not all(one and one.released for one in found):
        return False
    name, path = _asked(asked)
    return domain.parameters.get(_NAME) == name and path in _health_paths(template(balancer))


def _health_paths(template: Any) -> set[Any]:
    """The paths that a load balancer asks the tasks for."""
    resources = templates.parse(template).get("Resources", {}).values()
    return {one.get("Properties", {}).get("HealthCheckPath") for one in resources}
