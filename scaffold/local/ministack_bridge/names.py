"""The names of ministack: hosted zones and health checks of its Route 53, certificates of its ACM."""

from __future__ import annotations

from collections.abc import Mapping

from ministack.core.responses import request_scope
from ministack.services import acm, route53

from scaffold.local.protocol import ACCOUNT, Document


def add_hosted_zone(identifier: str, name: str) -> None:
    """Add a hosted zone with an id of the caller's choice, unless there is one."""
    if identifier not in route53._zones:
        zone = {"id": identifier, "name": f"{name}.", "caller_reference": identifier, "comment": "", "private": False}
        route53._zones[identifier] = zone
        route53._records[identifier] = route53._default_records(f"{name}.")


def add_health_check(reference: str, configuration: Document, tags: Mapping[str, str]) -> str:
    """Add a health check, and return its id.

    Args:
        reference: The caller reference.
        configuration: The `HealthCheckConfig` as the API has it.
    """
    identifier = str(route53._hc_id())
    route53._health_checks[identifier] = {"id": identifier, "caller_reference": reference, "version": 0}
    change_health_check(identifier, configuration, tags)
    return identifier


def change_health_check(identifier: str, configuration: Document, tags: Mapping[str, str]) -> None:
    """Give a health check another configuration and other tags."""
    check = route53._health_checks[identifier]
    # As text in XML: ministack writes Python's.
    texts = {key: str(one).lower() if isinstance(one, bool) else one for key, one in configuration.items()}
    check |= {"config": texts, "version": check["version"] + 1}
    route53._tags["healthcheck", identifier] = dict(tags)


def delete_health_check(identifier: str) -> None:
    """Delete a health check. No error if it does not exist any more."""
    route53._health_checks.pop(identifier, None)
    route53._tags.pop(("healthcheck", identifier), None)


def certificate_tags(arn: str) -> list[Document]:
    """The tags of a certificate; none if it does not exist."""
    with request_scope(ACCOUNT, arn.split(":")[3]):
        return list((acm._certificates.get(arn) or {}).get("Tags") or [])
