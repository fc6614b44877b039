"""Emulates ECS's service deployments, which ministack lists as none. Local AWS completes them at once."""

from __future__ import annotations

from typing import Any, ClassVar

from scaffold.local import ministack_bridge
from scaffold.local.protocol import ACCOUNT, AwsService, Call, Document, ServiceError

_STATUSES = {"COMPLETED": "SUCCESSFUL", "FAILED": "STOPPED"}


class ServiceDeployments(AwsService):
    """The deployments of ministack's services."""

    name = "ecs"
    invalid_input = "InvalidParameterException"
    operations: ClassVar[tuple[str, ...]] = ("ListServiceDeployments", "StopServiceDeployment")

    def list_service_deployments(self, call: Call) -> Document:
        """List the deployments of a service, the newest first."""
        cluster, service = call.parameters.get("cluster", "default"), call.parameters["service"]
        wanted = call.parameters.get("status")
        deployments = _deployments(call.region, cluster.rpartition("/")[2], service.rpartition("/")[2])
        return {"serviceDeployments": [one for one in deployments if not wanted or one["status"] in wanted]}

    def stop_service_deployment(self, call: Call) -> Document:
        """Refuse, since every deployment has ended."""
        arn = call.parameters["serviceDeploymentArn"]
        cluster, service = [*arn.split("/"), "", ""][1:3]
        try:
            known = [one["serviceDeploymentArn"] for one in _deployments(call.region, cluster, service)]
        except ServiceError:
            known = []
        if arn in known:
            raise ServiceError("ConflictException", "The deployment has ended: local AWS completes it at once")
        raise ServiceError("ServiceDeploymentNotFoundException", f"There is no service deployment {arn}")


def _deployments(region: str, cluster: str, service: str) -> list[Document]:
    given = {"cluster": cluster, "services": [service]}
    try:
        found: list[Any] = ministack_bridge.call("ecs", "DescribeServices", given, region)["services"]
    except ServiceError as error:
        raise ServiceError("ClusterNotFoundException", "Cluster not found.") from error
    if not found:
        raise ServiceError("ServiceNotFoundException", "Service not found.")
    arn = f"arn:aws:ecs:{region}:{ACCOUNT}:service-deployment/{cluster}/{service}"
    return [
        {
            "serviceDeploymentArn": f"{arn}/{one['id'].rpartition('/')[2]}",
            "serviceArn": found[0]["serviceArn"],
            "clusterArn": found[0]["clusterArn"],
            "status": _STATUSES.get(one.get("rolloutState", ""), "IN_PROGRESS"),
        }
        for one in found[0]["deployments"]
    ]
