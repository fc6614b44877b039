"""Puts local AWS together: ministack, the APIs and resource types that it lacks, the Git endpoint and the router."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from scaffold.local import ministack_bridge
from scaffold.local.cloudformation import (
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
from scaffold.local.protocol import AwsService
from scaffold.local.router import Router
from scaffold.local.services import iam, iam_rules
from scaffold.local.services.autoscaling import ApplicationAutoScaling
from scaffold.local.services.codecommit import CodeCommit
from scaffold.local.services.codepipeline import CodePipeline
from scaffold.local.services.git_endpoint import GitEndpoint
from scaffold.local.services.image_scans import ImageScans
from scaffold.local.services.report_groups import ReportGroups
from scaffold.local.services.repositories import Repositories
from scaffold.local.services.service_deployments import ServiceDeployments
from scaffold.local.services.service_quotas import ServiceQuotas

_ECR = "AmazonEC2ContainerRegistry_V20150921"
_CODEBUILD = "CodeBuild_20161006"
_ECS = "AmazonEC2ContainerServiceV20141113"


def assemble(state: Path, region: str, git_address: str) -> tuple[Router, Callable[[], None]]:
    """Monkeypatch ministack and build the application.

    Args:
        state: The state directory.
        region: The region of requests that name none.
        git_address: The host and port of the Git endpoint.

    Returns:
        The application, and a function that kills the Git processes that it has started.
    """
    repositories = Repositories(state / "repositories")
    git = GitEndpoint(repositories, region)
    codecommit, codepipeline = CodeCommit(repositories, git_address), CodePipeline()
    autoscaling, reports, scans = ApplicationAutoScaling(), ReportGroups(), ImageScans()
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
        "ServiceQuotasV20190624": ServiceQuotas(),
        f"{_ECR}.StartImageScan": scans,
        f"{_ECR}.DescribeImageScanFindings": scans,
        **{f"{_CODEBUILD}.{operation}": reports for operation in ReportGroups.operations},
        **{f"{_ECS}.{operation}": deployments for operation in ServiceDeployments.operations},
    }
    router = Router(ministack_bridge.app, services, git, region)
    router.controls["/_local/image-scans"] = scans.control
    return router, git.stop
