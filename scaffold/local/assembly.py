"""Puts local AWS together: ministack, the APIs and resource types that it lacks, the Git endpoint and the router."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from scaffold.local import ministack_bridge
from scaffold.local.cloudformation import (
    audit,
    budgets,
    delivery,
    drift,
    existing_names,
    exports,
    firewalls,
    health_checks,
    hosted_zones,
    identity,
    load_balancers,
    network,
    registration,
    runtime,
    stack_roles,
    stack_rules,
)
from scaffold.local.cloudformation.databases import DBCluster
from scaffold.local.protocol import AwsService
from scaffold.local.router import Router
from scaffold.local.services import iam, iam_rules
from scaffold.local.services.autoscaling import ApplicationAutoScaling
from scaffold.local.services.codecommit import CodeCommit
from scaffold.local.services.codepipeline import CodePipeline
from scaffold.local.services.git_endpoint import GitEndpoint
from scaffold.local.services.image_scans import ImageScans
from scaffold.local.services.parameter_tags import ParameterTags
from scaffold.local.services.pull_requests.store import PullRequests
from scaffold.local.services.report_groups import ReportGroups
from scaffold.local.services.repositories import Repositories
from scaffold.local.services.sbom_scans import SbomScans
from scaffold.local.services.service_deployments import ServiceDeployments
from scaffold.local.services.service_quotas import ServiceQuotas
from scaffold.local.services.topic_messages import TopicMessages

if TYPE_CHECKING:
    from scaffold.local.engine import Engine

_ECR = "AmazonEC2ContainerRegistry_V20150921"
_CODEBUILD = "CodeBuild_20161006"
_ECS = "AmazonEC2ContainerServiceV20141113"


@dataclass(frozen=True)
class Assembly:
    """Local AWS, ready to be served.

    Attributes:
        router: The ASGI application.
        started: To be called with the event loop, in it, before the first request.
        stops: End what the application has started: Git processes, actions of pipelines, builds, containers.
        containers: The container engine with its version; empty without one.
        no_containers: Why there is none.
    """

    router: Router
    started: Callable[[asyncio.AbstractEventLoop], None]
    stops: tuple[Callable[[], None], ...]
    containers: str = ""
    no_containers: str = ""


def assemble(
    state: Path,
    region: str,
    api_address: str,
    git_address: str,
    speed: float | None = None,
    containers: str = "none",
    failing: str = "",
) -> Assembly:
    """Monkeypatch ministack and build the application.

    Args:
        state: The state directory.
        region: The region of requests that name none.
        api_address: The host and port of the endpoint of all services.
        git_address: The host and port of the Git endpoint.
        speed: How many seconds of waiting pass in one second, for what was deployed to run. By default it does not.
        containers: The choice of a container engine, for what runs.
        failing: The pipeline action that fails, as STAGE/ACTION; empty for none.
    """
    repositories, reports = Repositories(state / "repositories"), ReportGroups()
    engine: Engine | None = None
    if speed:
        from scaffold.local.engine import Engine  # Its imports take time.

        engine = Engine(state, api_address, git_address, speed, containers, failing, repositories, reports)
    guard = engine.guard if engine else None
    pull_requests = engine.pull_requests if engine else PullRequests(lambda _: None)
    git = GitEndpoint(repositories, region, pull_requests.references_changed, guard)
    codecommit = CodeCommit(repositories, git_address, pull_requests)
    codepipeline = engine.codepipeline if engine else CodePipeline()
    autoscaling = ApplicationAutoScaling(engine.hold_limits if engine else None)
    scans, sboms, deployments = ImageScans(), SbomScans(), ServiceDeployments()

    registration.register(
        [
            delivery.CodePipelinePipeline(codepipeline),
            delivery.CodeBuildReportGroup(reports),
            audit.Trail(),
            budgets.Budget(),
            identity.Role(),
            identity.ManagedPolicy(),
            identity.InlinePolicy(),
            health_checks.HealthCheck(),
            firewalls.LoggingConfiguration(),
            firewalls.WebAclAssociation(),
            network.ElasticIp(),
            network.FlowLog(),
            network.NatGateway(),
            network.SecurityGroupEgress(),
            network.SecurityGroupIngress(),
            runtime.MetricAlarm(),
            runtime.ScalableTarget(autoscaling),
            runtime.ScalingPolicy(autoscaling),
            *(engine.resource_types if engine else [DBCluster()]),
        ]
    )
    ministack_bridge.refine_creation_times()
    ministack_bridge.correct_target_group_names()
    existing_names.install()
    hosted_zones.install()
    exports.install()
    load_balancers.install()
    role_of = stack_rules.install()
    drift.install()
    iam.install()
    iam_rules.install()
    messages = TopicMessages()
    messages.install()
    if engine:
        stack_roles.StackRoles(engine.guard, role_of, engine.tags, autoscaling).install()

    services: dict[str, AwsService] = {
        "CodeCommit_20150413": codecommit,
        "CodePipeline_20150709": codepipeline,
        "AnyScaleFrontendService": autoscaling,
        "ServiceQuotasV20190624": ServiceQuotas(),
        "inspector-scan": sboms,
        "AmazonSSM.ListTagsForResource": ParameterTags(),
        f"{_ECR}.DescribeImages": scans,
        f"{_ECR}.StartImageScan": scans,
        f"{_ECR}.DescribeImageScanFindings": scans,
        **{f"{_CODEBUILD}.{operation}": reports for operation in ReportGroups.operations},
    }
    if engine:
        services |= engine.services
    else:
        services |= {f"{_ECS}.{operation}": deployments for operation in ServiceDeployments.operations}
    router = Router(ministack_bridge.app, services, git, region, guard)
    router.controls["/_local/image-scans"] = scans.control
    router.controls["/_local/sbom-scans"] = sboms.control
    router.controls["/_local/messages"] = messages.control
    if engine:
        router.controls["/_local/services"] = engine.service_list.control
        router.controls["/_local/faults"] = engine.faults.control

    def started(loop: asyncio.AbstractEventLoop) -> None:
        if engine:
            engine.start(loop)

    if engine is None:
        return Assembly(router, started, (git.stop,))
    return Assembly(router, started, (git.stop, engine.stop), engine.containers, engine.no_containers)
