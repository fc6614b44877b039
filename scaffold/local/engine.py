"""Puts together what runs the pipelines, builds and services of local AWS. Its imports take time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

from scaffold.engine.builds.builds import Builds
from scaffold.engine.clock import Clock
from scaffold.engine.events import EventStream
from scaffold.engine.executors.clients import Clients
from scaffold.engine.executors.codebuild import BuildRefused
from scaffold.engine.executors.failing import with_failing_action
from scaffold.engine.executors.providers import executors
from scaffold.engine.pipeline.runner import Runner
from scaffold.local import ministack_bridge
from scaffold.local.cloudformation import containers
from scaffold.local.cloudformation.builds import CodeBuildProject
from scaffold.local.cloudformation.resource_types import ResourceType
from scaffold.local.credentials import ACCESS_KEY, SECRET_KEY
from scaffold.local.protocol import AwsService, Document, ServiceError
from scaffold.local.services.build_surroundings import surroundings
from scaffold.local.services.codebuild import CodeBuild
from scaffold.local.services.codepipeline_runs import RunningCodePipeline
from scaffold.local.services.ecr_public import EcrPublic
from scaffold.local.services.event_rules import EventRules
from scaffold.local.services.report_groups import ReportGroups
from scaffold.local.services.repositories import Repositories
from scaffold.local.services.running import run_services
from scaffold.local.services.source_archives import SourceArchives


class Engine:
    """What runs.

    Args:
        state: The state directory.
        api_address: The host and port of the endpoint of all services.
        git_address: The host and port of the Git endpoint.
        speed: How many seconds of waiting pass in one second.
        failing: The pipeline action that fails, as STAGE/ACTION; empty for none.
    """

    def __init__(
        self,
        state: Path,
        api_address: str,
        git_address: str,
        speed: float,
        failing: str,
        repositories: Repositories,
        reports: ReportGroups,
    ) -> None:
        endpoint, clock, stream = f"http://{api_address}", Clock(speed), EventStream()
        self._rules = EventRules(stream)
        builds = Builds(surroundings(state, endpoint, git_address), stream, reports.store)
        self._codebuild = CodeBuild(builds, reports)
        self._services, self.service_list = run_services(state, endpoint, clock, stream)
        clients = Clients(endpoint, ACCESS_KEY, SECRET_KEY)
        providers = executors(clients, SourceArchives(repositories), clock, self._start_build)
        if failing:
            providers = with_failing_action(providers, failing)
        self.codepipeline = RunningCodePipeline(lambda state: Runner(state, providers, clock, stream))
        self._rules.start_pipelines(self.codepipeline.start_for_event)

    @property
    def pushed(self) -> Callable[..., None]:
        """To be called after each push."""
        return self._rules.pushed

    @property
    def hold_limits(self) -> Callable[[str, Document], None]:
        """To be called with the region and each scalable target that was registered or updated."""
        return self._services.hold_limits

    @property
    def resource_types(self) -> list[ResourceType]:
        """In place of ministack's."""
        services = containers.Service(self._services)
        return [CodeBuildProject(self._codebuild), containers.TaskDefinition(), services]

    @property
    def services(self) -> dict[str, AwsService]:
        """APIs by the prefix of the `X-Amz-Target` header."""
        return {"CodeBuild_20161006": self._codebuild, "SpencerFrontendService": EcrPublic()}

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Deliver events in this loop, from within it, before the first request."""
        ministack_bridge.wait_for(containers.Service.name)
        self._rules.attach(loop)

    def stop(self) -> None:
        """End the actions of pipelines, and builds."""
        self.codepipeline.stop()
        self._codebuild.stop()

    def _start_build(self, region: str, given: Document, initiator: str, commit: str) -> Document:
        try:
            return self._codebuild.start(region, given, initiator, commit)
        except ServiceError as error:
            raise BuildRefused(f"Error code: {error.code}, message: {error.message}") from error
