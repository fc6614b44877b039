"""Puts local AWS together: ministack, the APIs and resource types that it lacks, the Git endpoint and the router."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from scaffold.engine.clock import Clock
from scaffold.engine.events import EventStream
from scaffold.local import ministack_bridge
from scaffold.local.cloudformation import (
    builds,
    delivery,
    drift,
    existing_names,
    exports,
    identity,
    network,
    registration,
    runtime,
    stack_rules,
)
from scaffold.local.credentials import ACCESS_KEY, SECRET_KEY
from scaffold.local.protocol import AwsService, Document, ServiceError
from scaffold.local.router import Router
from scaffold.local.services import iam, iam_rules
from scaffold.local.services.autoscaling import ApplicationAutoScaling
from scaffold.local.services.build_surroundings import surroundings
from scaffold.local.services.codebuild import CodeBuild
from scaffold.local.services.codecommit import CodeCommit
from scaffold.local.services.codepipeline import CodePipeline
from scaffold.local.services.codepipeline_runs import RunningCodePipeline
from scaffold.local.services.ecr_public import EcrPublic
from scaffold.local.services.event_rules import EventRules
from scaffold.local.services.git_endpoint import GitEndpoint
from scaffold.local.services.image_scans import ImageScans
from scaffold.local.services.report_groups import ReportGroups
from scaffold.local.services.repositories import Repositories
from scaffold.local.services.service_deployments import ServiceDeployments
from scaffold.local.services.source_archives import SourceArchives

_ECR = "AmazonEC2ContainerRegistry_V20150921"
_CODEBUILD = "CodeBuild_20161006"
_ECR_PUBLIC = "SpencerFrontendService"
_ECS = "AmazonEC2ContainerServiceV20141113"


@dataclass(frozen=True)
class Assembly:
    """Local AWS, ready to be served.

    Attributes:
        router: The ASGI application.
        started: To be called with the event loop, in it, before the first request.
        stop: Ends what the application has started: Git processes, the actions of pipelines, builds.
    """

    router: Router
    started: Callable[[asyncio.AbstractEventLoop], None]
    stop: Callable[[], None]


@dataclass(frozen=True)
class Engine:
    """What runs what was deployed.

    Attributes:
        endpoint: The URL of all services.
    """

    endpoint: str
    clock: Clock
    stream: EventStream
    rules: EventRules


def assemble(state: Path, region: str, api_address: str, git_address: str, speed: float | None = None) -> Assembly:
    """Monkeypatch ministack and build the application.

    Args:
        state: The state directory.
        region: The region of requests that name none.
        api_address: The host and port of the endpoint of all services.
        git_address: The host and port of the Git endpoint.
        speed: How many seconds of waiting pass in one second, for what was deployed to run. By default it does not.
    """
    engine = _engine(api_address, speed) if speed else None
    repositories = Repositories(state / "repositories")
    git = GitEndpoint(repositories, region, engine.rules.pushed if engine else None)
    codecommit = CodeCommit(repositories, git_address)
    autoscaling, reports, scans = ApplicationAutoScaling(), ReportGroups(), ImageScans()
    codebuild = _running_builds(engine, state, git_address, reports) if engine else None
    codepipeline = _running_pipelines(engine, repositories, codebuild) if engine and codebuild else CodePipeline()
    deployments = ServiceDeployments()

    registration.register(
        [
            delivery.CodePipelinePipeline(codepipeline),
            delivery.CodeBuildReportGroup(reports),
            identity.Role(),
            identity.ManagedPolicy(),
            identity.InlinePolicy(),
            network.ElasticIp(),
            network.NatGateway(),
            runtime.MetricAlarm(),
            runtime.ScalableTarget(autoscaling),
            runtime.ScalingPolicy(autoscaling),
        ]
    )
    ministack_bridge.refine_creation_times()
    existing_names.install()
    exports.install()
    stack_rules.install()
    drift.install()
    iam.install()
    iam_rules.install()

    services: dict[str, AwsService] = {
        "CodeCommit_20150413": codecommit,
        "CodePipeline_20150709": codepipeline,
        "AnyScaleFrontendService": autoscaling,
        f"{_ECR}.StartImageScan": scans,
        f"{_ECR}.DescribeImageScanFindings": scans,
        **{f"{_CODEBUILD}.{operation}": reports for operation in ReportGroups.operations},
        **{f"{_ECS}.{operation}": deployments for operation in ServiceDeployments.operations},
    }
    if codebuild:
        registration.register([builds.CodeBuildProject(codebuild)])
        services |= {_CODEBUILD: codebuild, _ECR_PUBLIC: EcrPublic()}
    router = Router(ministack_bridge.app, services, git, region)
    router.controls["/_local/image-scans"] = scans.control

    def started(loop: asyncio.AbstractEventLoop) -> None:
        if engine:
            engine.rules.attach(loop)

    def stop() -> None:
        git.stop()
        if isinstance(codepipeline, RunningCodePipeline):
            codepipeline.stop()
        if codebuild:
            codebuild.stop()

    return Assembly(router, started, stop)


def _engine(api_address: str, speed: float) -> Engine:
    stream = EventStream()
    return Engine(f"http://{api_address}", Clock(speed), stream, EventRules(stream))


def _running_builds(engine: Engine, state: Path, git_address: str, reports: ReportGroups) -> CodeBuild:
    """CodeBuild with the engine."""
    from scaffold.engine.builds.builds import Builds

    place = surroundings(state, engine.endpoint, git_address)
    return CodeBuild(Builds(place, engine.stream, reports.store), reports)


def _running_pipelines(engine: Engine, repositories: Repositories, codebuild: CodeBuild) -> RunningCodePipeline:
    """CodePipeline with the engine, whose import takes time that a local AWS without it does not need."""
    from scaffold.engine.executors.clients import Clients
    from scaffold.engine.executors.codebuild import BuildRefused
    from scaffold.engine.executors.providers import executors
    from scaffold.engine.pipeline.runner import Runner

    clients = Clients(engine.endpoint, ACCESS_KEY, SECRET_KEY)

    def start_build(region: str, given: Document, initiator: str, commit: str) -> Document:
        try:
            return codebuild.start(region, given, initiator, commit)
        except ServiceError as error:
            raise BuildRefused(f"Error code: {error.code}, message: {error.message}") from error

    providers = executors(clients, SourceArchives(repositories), engine.clock, start_build)
    codepipeline = RunningCodePipeline(lambda state: Runner(state, providers, engine.clock, engine.stream))
    engine.rules.start_pipelines(codepipeline.start_for_event)
    return codepipeline
