"""The resource type of Route 53's health checks, which ministack's CloudFormation lacks. Nothing is asked for."""

from __future__ import annotations

from scaffold.local import ministack_bridge
from scaffold.local.cloudformation.resource_types import Created, Request, ResourceType, handler_failure, to_api
from scaffold.local.protocol import Document

_CONFIGURATION = "HealthCheckConfig"
_CREATE_ONLY = ("MeasureLatency", "RequestInterval", "Type")


class HealthCheck(ResourceType):
    """AWS::Route53::HealthCheck."""

    name = "AWS::Route53::HealthCheck"
    tags = ("HealthCheckTags", "list")

    def create(self, request: Request) -> Created:
        """Create a health check."""
        identifier = ministack_bridge.add_health_check(request.generated_name, _configuration(request), _tags(request))
        return identifier, {"HealthCheckId": identifier}

    def update(self, request: Request) -> Created:
        """Update a health check in place."""
        old, new = request.old.get(_CONFIGURATION, {}), request.properties[_CONFIGURATION]
        if any(old.get(name) != new.get(name) for name in _CREATE_ONLY):
            raise ValueError(f"not rehearsed: another {', '.join(_CREATE_ONLY)} of a health check, which replaces it")
        ministack_bridge.change_health_check(request.identifier, _configuration(request), _tags(request))
        return request.identifier, {"HealthCheckId": request.identifier}

    def delete(self, request: Request) -> None:
        """Delete a health check."""
        ministack_bridge.delete_health_check(request.identifier)


def _configuration(request: Request) -> Document:
    found: Document = to_api("route53", _CONFIGURATION, request.properties[_CONFIGURATION], _CONFIGURATION)
    if found.get("EnableSNI") and not str(found["Type"]).startswith("HTTPS"):
        raise handler_failure("EnableSNI is for health checks of the types HTTPS and HTTPS_STR_MATCH", "InvalidRequest")
    return found


def _tags(request: Request) -> dict[str, str]:
    return {one["Key"]: str(one["Value"]) for one in request.properties.get("HealthCheckTags", [])}
