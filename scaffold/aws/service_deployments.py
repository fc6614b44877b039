"""ECS service deployments that are in progress, and their rollback."""

from __future__ import annotations

from scaffold.aws.errors import suppress_code
from scaffold.aws.session import Session

_STOPPABLE = ["PENDING", "IN_PROGRESS"]


def in_progress(session: Session, cluster: str, service: str) -> list[str]:
    """The ARNs of a service's deployments that can be stopped; none where there is no such service."""
    with suppress_code("ClusterNotFoundException", "ServiceNotFoundException"):
        # A service has one deployment in progress at most, so the answer has one page.
        answer = session.client("ecs").list_service_deployments(cluster=cluster, service=service, status=_STOPPABLE)
        return [one["serviceDeploymentArn"] for one in answer["serviceDeployments"]]
    return []


def roll_back(session: Session, deployment: str) -> bool:
    """Stop a deployment and roll the service back; return whether it was still in progress.

    Args:
        deployment: Its ARN.
    """
    with suppress_code("ConflictException", "ServiceDeploymentNotFoundException"):
        session.client("ecs").stop_service_deployment(serviceDeploymentArn=deployment, stopType="ROLLBACK")
        return True
    return False
