"""What an environment runs: its tasks, its newest release, its alarms and its image."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from scaffold.aws.cloudformation.stack_resources import physical_ids
from scaffold.aws.cloudformation.stacks import Stack
from scaffold.aws.errors import suppress_code
from scaffold.aws.session import Session
from scaffold.aws.stand_in import is_stand_in
from scaffold.service import names

#: The AWS services whose clients these functions use.
CLIENTS = ("cloudformation", "cloudwatch", "ecr", "ecs")


@dataclass(frozen=True)
class Tasks:
    """The tasks of an ECS service."""

    running: int
    desired: int


@dataclass(frozen=True)
class ServiceDeployment:
    """The newest deployment of an ECS service.

    Attributes:
        status: As ECS names it, such as `SUCCESSFUL` or `ROLLBACK_SUCCESSFUL`.
        reason: Why it has this status, in ECS's words; None where ECS says nothing.
        at: When it ended, or began where it is in progress.
    """

    status: str
    reason: str | None
    at: datetime | None


@dataclass(frozen=True)
class Image:
    """An image of the registry.

    Attributes:
        tags: Its tags.
        scan: The status of its scan, such as `COMPLETE`; None where it was not scanned.
        findings: The number of findings by severity.
        stand_in: Whether it was built without a container engine, which only local AWS does.
    """

    digest: str
    tags: tuple[str, ...]
    scan: str | None
    findings: dict[str, int]
    stand_in: bool = False


@dataclass(frozen=True)
class Alarm:
    """An alarm.

    Attributes:
        actions: The ARNs that it notifies.
    """

    name: str
    actions: tuple[str, ...]


def tasks(session: Session, app_name: str, environment: str) -> Tasks | None:
    """The tasks of an environment; None where it has no service."""
    cluster = names.cluster(app_name, environment)
    with suppress_code("ClusterNotFoundException"):
        found = session.client("ecs").describe_services(cluster=cluster, services=[cluster])["services"]
        active = [one for one in found if one["status"] == "ACTIVE"]
        return Tasks(active[0]["runningCount"], active[0]["desiredCount"]) if active else None
    return None


def newest_deployment(session: Session, app_name: str, environment: str) -> ServiceDeployment | None:
    """The newest deployment of an environment's service; None where there is none."""
    cluster = names.cluster(app_name, environment)
    with suppress_code("ClusterNotFoundException", "ServiceNotFoundException"):
        # ECS lists the newest one first.
        answer = session.client("ecs").list_service_deployments(cluster=cluster, service=cluster, maxResults=1)
        for one in answer["serviceDeployments"]:
            at = one.get("finishedAt") or one.get("startedAt") or one.get("createdAt")
            return ServiceDeployment(one["status"], one.get("statusReason"), at)
    return None


def ringing(session: Session, app_name: str) -> tuple[Alarm, ...]:
    """The alarms in the state ALARM whose names begin as those of a service; some may belong to another one."""
    pages = (
        session.client("cloudwatch")
        .get_paginator("describe_alarms")
        .paginate(AlarmNamePrefix=names.alarm(app_name), StateValue="ALARM")
    )
    return tuple(
        Alarm(one["AlarmName"], tuple(one.get("AlarmActions", ()))) for page in pages for one in page["MetricAlarms"]
    )


def alarms_of(session: Session, stack: str) -> tuple[str, ...]:
    """The names of a stack's alarms.

    They are found by their stack: other services may have alarms whose names begin alike.
    """
    return tuple(physical_ids(session, stack, "AWS::CloudWatch::Alarm"))


def image_digest(task_definition: Stack | None) -> str:
    """The digest of the image in a task definition's stack; empty before the first release."""
    return task_definition.parameters.get("ImageUri", "").partition("@")[2] if task_definition else ""


def image(session: Session, app_name: str, digest: str) -> Image | None:
    """An image by its digest; None where the registry does not have it."""
    with suppress_code("ImageNotFoundException", "RepositoryNotFoundException"):
        described = session.client("ecr").describe_images(
            repositoryName=names.repository(app_name), imageIds=[{"imageDigest": digest}]
        )
        for one in described["imageDetails"]:
            return Image(
                digest,
                tuple(one.get("imageTags", ())),
                one.get("imageScanStatus", {}).get("status"),
                dict(one.get("imageScanFindingsSummary", {}).get("findingSeverityCounts", {})),
                is_stand_in(session, app_name, digest),
            )
    return None
