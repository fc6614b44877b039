"""Where the environments of a service are reached."""

from __future__ import annotations

from collections.abc import Mapping

from scaffold.aws.cloudformation import stacks
from scaffold.aws.cloudformation.stacks import Stack
from scaffold.aws.session import Session
from scaffold.service.service import Service
from scaffold.service.stack_kinds import DOMAIN, ENVIRONMENT, SERVICE, StackId

# As the templates have them.
_URL, _RULE = "ServiceUrl", "ProductionRuleArn"
#: The kinds of the stacks that tell.
KINDS = (ENVIRONMENT, DOMAIN, SERVICE)


def service_url(found: Mapping[StackId, Stack], environment: str) -> str | None:
    """The URL of an environment; None before its first release.

    It is that of its domain as soon as, and as long as, the service names the domain's listener rule.

    Args:
        found: Its stacks of these `KINDS`, at least.
    """
    own, domain, service = (found.get(StackId(kind, environment)) for kind in KINDS)
    if domain and service and _RULE in domain.outputs and service.outputs.get(_RULE) == domain.outputs[_RULE]:
        return domain.outputs.get(_URL)
    return own.outputs.get(_URL) if own else None


def find_url(session: Session, service: Service, environment: str) -> str | None:
    """The URL of an environment, looked up."""
    ids = [StackId(kind, environment) for kind in KINDS if kind is not DOMAIN or DOMAIN in service.optional_kinds]
    existing = {one: stacks.find(session, one.name(service.app_name)) for one in ids}
    return service_url({one: stack for one, stack in existing.items() if stack}, environment)
