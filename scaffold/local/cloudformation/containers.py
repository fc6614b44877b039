"""The resource types of services that run: their stacks wait until a deployment has ended."""

from __future__ import annotations

from dataclasses import replace

from scaffold.engine.tasks.record import DeploymentFailed
from scaffold.local import ministack_bridge
from scaffold.local.cloudformation.resource_types import (
    Created,
    Failed,
    Request,
    ResourceType,
    already_exists,
    call_ministack,
    call_service,
    handler_failure,
    to_api,
)
from scaffold.local.protocol import Document, service_model
from scaffold.local.services.ecs import EcsServices

_STABLE_SECONDS = 3 * 3600.0
_BAKED_SECONDS = 36 * 3600.0
_ONLY_IN_TEMPLATES = ("ForceNewDeployment", "Role")


class TaskDefinition(ResourceType):
    """AWS::ECS::TaskDefinition. ministack's own type does not convert nested properties to API input."""

    name = "AWS::ECS::TaskDefinition"
    tags = ("Tags", "list")
    create_only = (
        "ContainerDefinitions",
        "Cpu",
        "EphemeralStorage",
        "ExecutionRoleArn",
        "Family",
        "IpcMode",
        "Memory",
        "NetworkMode",
        "PidMode",
        "PlacementConstraints",
        "ProxyConfiguration",
        "RequiresCompatibilities",
        "RuntimePlatform",
        "TaskRoleArn",
        "Volumes",
    )

    def create(self, request: Request) -> Created:
        """Register a revision."""
        given = {"Family": request.generated_name, **request.properties}
        parameters = to_api("ecs", "RegisterTaskDefinitionRequest", given)
        arn = call_ministack("ecs", "RegisterTaskDefinition", parameters)["taskDefinition"]["taskDefinitionArn"]
        return arn, {"TaskDefinitionArn": arn}

    def update(self, request: Request) -> Created:
        """Update the tags; every other change replaces the revision."""
        tags = to_api("ecs", "Tags", request.properties.get("Tags", []))
        call_ministack("ecs", "TagResource", {"resourceArn": request.identifier, "tags": tags})
        return request.identifier, {"TaskDefinitionArn": request.identifier}

    def delete(self, request: Request) -> None:
        """Deregister the revision."""
        call_ministack("ecs", "DeregisterTaskDefinition", {"taskDefinition": request.identifier})


class Service(ResourceType):
    """AWS::ECS::Service."""

    name = "AWS::ECS::Service"
    create_only = ("Cluster", "LaunchType", "Role", "SchedulingStrategy", "ServiceName")
    tags = ("Tags", "list")
    custom_name = "ServiceName"

    def __init__(self, api: EcsServices) -> None:
        self._api = api

    def create(self, request: Request) -> Created:
        """Create the service and wait for its first deployment."""
        given = {"ServiceName": request.generated_name, "DesiredCount": 1, **request.properties}
        parameters = to_api("ecs", "CreateServiceRequest", _without(given, _ONLY_IN_TEMPLATES))
        try:
            service = call_service(self._api, "CreateService", parameters, request.region)["service"]
        except Failed as error:
            if "not idempotent" in str(error):
                raise already_exists(self.name, parameters["serviceName"]) from error
            raise
        try:
            return self._stable(service, service["deployments"][0]["id"])
        except ValueError:
            # ministack's rollback does not know a resource whose creation failed.
            self.delete(replace(request, identifier=service["serviceArn"]))
            raise

    def update(self, request: Request) -> Created:
        """Update the service and wait for the deployment, where there is one."""
        known = service_model("ecs").shape_for("UpdateServiceRequest").members  # type: ignore[attr-defined]
        names = {name.lower() for name in known}
        given = {key: value for key, value in request.properties.items() if key.lower() in names}
        parameters = to_api("ecs", "UpdateServiceRequest", given)
        parameters["service"] = request.identifier
        parameters["forceNewDeployment"] = _is_forced(request)
        before = self._deployment(request.identifier)
        service = call_service(self._api, "UpdateService", parameters, request.region)["service"]
        ministack_bridge.ecs_tags()[request.identifier] = to_api("ecs", "Tags", request.properties.get("Tags", []))
        after = service["deployments"][0]["id"]
        return self._stable(service, after if after != before else None)

    def delete(self, request: Request) -> None:
        """Delete the service and wait until its tasks have stopped. No error if it does not exist any more."""
        cluster = request.identifier.split("/")[-2]
        given = {"cluster": cluster, "service": request.identifier, "force": True}
        try:
            call_service(self._api, "DeleteService", given, request.region)
        except Failed as error:
            if error.code not in ("ClusterNotFoundException", "ServiceNotFoundException"):
                raise
            return
        self._api.services.wait_deleted(request.identifier, _STABLE_SECONDS)

    def _deployment(self, arn: str) -> str:
        service = self._api.services.describe(arn)
        return str(service["deployments"][0]["id"]) if service and service["deployments"] else ""

    def _stable(self, service: Document, deployment: str | None) -> Created:
        arn = service["serviceArn"]
        try:
            self._api.services.wait(arn, deployment, _patience(service))
        except DeploymentFailed as error:
            raise handler_failure(f"Error occurred during operation '{_operation(error)}'.") from error
        except TimeoutError as error:
            raise handler_failure("Exceeded attempts to wait", "NotStabilized") from error
        return arn, {"ServiceArn": arn, "Name": service["serviceName"]}


def _patience(service: Document) -> float:
    """How long CloudFormation waits for a deployment."""
    configuration = service.get("deploymentConfiguration") or {}
    bakes = configuration.get("strategy", "ROLLING") != "ROLLING" or configuration.get("bakeTimeInMinutes")
    return _BAKED_SECONDS if bakes else _STABLE_SECONDS


def _operation(error: DeploymentFailed) -> str:
    if "circuit breaker" in str(error):
        return "ECS Deployment Circuit Breaker was triggered"
    return "ECS Deployment Alarm was triggered" if "CloudWatch alarms" in str(error) else "ECS Deployment was stopped"


def _is_forced(request: Request) -> bool:
    """Whether the template asks for a deployment without another change: its nonce differs."""
    old, new = (one.get("ForceNewDeployment") or {} for one in (request.old, request.properties))
    enabled = str(new.get("EnableForceNewDeployment", False)).lower() == "true"
    return enabled and old.get("ForceNewDeploymentNonce") != new.get("ForceNewDeploymentNonce")


def _without(properties: Document, names: tuple[str, ...]) -> Document:
    return {key: value for key, value in properties.items() if key not in names}
