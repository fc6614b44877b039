"""Deployments of ECS that wait for a decision while their tasks run."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from botocore.exceptions import ClientError

from scaffold.aws.errors import code_of, suppress_code
from scaffold.aws.session import Session
from scaffold.core.errors import ScaffoldError
from scaffold.service import names

_DECIDED = {"ConflictException", "InvalidParameterException", "ServiceDeploymentNotFoundException"}


@dataclass(frozen=True)
class PausedDeployment:
    """A deployment whose new tasks run, and get no traffic before somebody decides.

    Attributes:
        arn: Of the service deployment.
        hook: The id of the hook that pauses it.
        expires: When it is taken back without a decision.
    """

    arn: str
    hook: str
    expires: datetime | None


def find(session: Session, app_name: str, environment: str) -> PausedDeployment | None:
    """The paused deployment of an environment; None where there is none."""
    cluster, ecs = names.cluster(app_name, environment), session.client("ecs")
    with suppress_code("ClusterNotFoundException", "ServiceNotFoundException"):
        listed = ecs.list_service_deployments(cluster=cluster, service=cluster, status=["IN_PROGRESS"])
        arns = [one["serviceDeploymentArn"] for one in listed["serviceDeployments"]]
        found = ecs.describe_service_deployments(serviceDeploymentArns=arns)["serviceDeployments"] if arns else []
        for one in found:
            for hook in one.get("lifecycleHookDetails", []):
                if (hook.get("targetType"), hook.get("status")) == ("PAUSE", "AWAITING_ACTION"):
                    return PausedDeployment(one["serviceDeploymentArn"], hook["hookId"], hook.get("expiresAt"))
    return None


def end(session: Session, paused: PausedDeployment, *, proceed: bool) -> None:
    """Let the traffic shift, or take the deployment back.

    Raises:
        ScaffoldError: It does not wait any more.
    """
    action = "CONTINUE" if proceed else "ROLLBACK"
    try:
        session.client("ecs").continue_service_deployment(
            serviceDeploymentArn=paused.arn, hookId=paused.hook, action=action
        )
    except ClientError as error:
        if code_of(error) not in _DECIDED:
            raise
        raise ScaffoldError(
            "The release no longer waits: it was decided or taken back meanwhile.",
            "`scaffold status` shows what the pipeline is doing.",
        ) from error
