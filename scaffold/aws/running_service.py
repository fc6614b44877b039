"""What an environment runs: its tasks, its newest release, its alarms and its image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from scaffold.aws.errors import suppress_code
from scaffold.aws.session import Session
from scaffold.service import names

#: The AWS services whose clients these functions use.
CLIENTS = ("cloudformation", "cloudwatch", "ecr", "ecs")
_NAMES_IN_A_CALL = 100


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
    """

    digest: str
    tags: tuple[str, ...]
    scan: str | None
    findings: dict[str, int]


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


def in_alarm(session: Session, alarms: Sequence[str]) -> set[str]:
    """Those of some alarms that are in the state ALARM."""
    found: set[str] = set()
    for start in range(0, len(alarms), _NAMES_IN_A_CALL):
        chunk = list(alarms[start : start + _NAMES_IN_A_CALL])
        answer = session.client("cloudwatch").describe_alarms(
            AlarmNames=chunk, StateValue="ALARM", MaxRecords=_NAMES_IN_A_CALL
        )
        found.update(alarm["AlarmName"] for alarm in answer["MetricAlarms"])
    return found


def alarms_of(session: Session, stack: str) -> tuple[str, ...]:
    """The names of a stack's alarms.

    They are found by their stack: other services may have alarms whose names begin alike.
    """
    resources = session.client("cloudformation").get_paginator("list_stack_resources").paginate(StackName=stack)
    return tuple(
        one["PhysicalResourceId"]
        for page in resources
        for one in page["StackResourceSummaries"]
        if one["ResourceType"] == "AWS::CloudWatch::Alarm" and one.get("PhysicalResourceId")
    )


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
            )
    return None
