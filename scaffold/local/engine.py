"""Puts together what runs the pipelines, builds and services of local AWS. Its imports take time."""

from __future__ import annotations

import asyncio
import functools
import os
import sys
from collections.abc import Callable
from pathlib import Path

from scaffold.engine.balancer.balancers import Balancers
from scaffold.engine.builds.builds import Builds
from scaffold.engine.builds.coverage import Coverage
from scaffold.engine.builds.reports import Report, ReportRefused
from scaffold.engine.builds.request import session_name
from scaffold.engine.clock import Clock
from scaffold.engine.containers import choice, leftovers
from scaffold.engine.credentials import Credentials
from scaffold.engine.databases.databases import Databases
from scaffold.engine.events import EventStream
from scaffold.engine.executors.clients import Clients
from scaffold.engine.executors.codebuild import BuildRefused
from scaffold.engine.executors.failing import with_failing_action
from scaffold.engine.executors.providers import executors, with_roles
from scaffold.engine.pipeline.jobs import Executor
from scaffold.engine.pipeline.runner import Runner
from scaffold.local import ministack_bridge
from scaffold.local.cloudformation import containers, rehearsed
from scaffold.local.cloudformation.builds import CodeBuildProject
from scaffold.local.cloudformation.databases import DBCluster
from scaffold.local.cloudformation.resource_types import ResourceType
from scaffold.local.credentials import ACCESS_KEY, SECRET_KEY
from scaffold.local.folder import CONTAINERS
from scaffold.local.permissions.actor import Actor
from scaffold.local.permissions.guard import Denied, Guard
from scaffold.local.permissions.needs import Need
from scaffold.local.permissions.resource_tags import ResourceTags
from scaffold.local.protocol import ACCOUNT, AwsService, Document, ServiceError
from scaffold.local.services.build_surroundings import downloads, surroundings
from scaffold.local.services.codebuild import CodeBuild, project_arn
from scaffold.local.services.codepipeline_runs import RunningCodePipeline
from scaffold.local.services.ecr_public import EcrPublic
from scaffold.local.services.event_rules import EventRules, RuleTargets
from scaffold.local.services.monitoring import Monitoring
from scaffold.local.services.pull_requests.store import PullRequests
from scaffold.local.services.report_groups import ReportGroups, group_arn
from scaffold.local.services.repositories import Repositories
from scaffold.local.services.running import run_services
from scaffold.local.services.source_archives import SourceArchives
from scaffold.local.shell import DOCKER_VARIABLE

_START = "codepipeline:StartPipelineExecution"
_START_BUILD = "codebuild:StartBuild"
_REPORTING = ("codebuild:CreateReport", "codebuild:UpdateReport")


class Engine:
    """What runs.

    Args:
        state: The state directory.
        api_address: The host and port of the endpoint of all services.
        git_address: The host and port of the Git endpoint.
        speed: How many seconds of waiting pass in one second.
        containers: The choice of a container engine.
        failing: The pipeline action that fails, as STAGE/ACTION; empty for none.

    Attributes:
        no_containers: Why there is no container engine.

    Raises:
        NoEngine: A container engine is required, and does not work.
    """

    def __init__(
        self,
        state: Path,
        api_address: str,
        git_address: str,
        speed: float,
        containers: str,
        failing: str,
        repositories: Repositories,
        reports: ReportGroups,
    ) -> None:
        found = choice.find(
            containers,
            state / CONTAINERS,
            os.environ.get("PATH", os.defpath),
            downloads(),
            os.environ.get(DOCKER_VARIABLE, ""),
        )
        self._containers, self.no_containers = found.engine, found.reason
        self.tags = ResourceTags({"codebuild": self._codebuild_tags, "codepipeline": self._pipeline_tags})
        endpoint, clock, stream = f"http://{api_address}", Clock(speed), EventStream()
        self.pull_requests = PullRequests(stream.publish)
        self.guard = Guard(self.tags.of, self.pull_requests.reviewed)
        self._reports = reports
        self._rules = EventRules(stream)
        self._place = surroundings(state, endpoint, git_address, self.guard.assume, self._containers)
        builds = Builds(self._place, stream, self._store_report)
        self._codebuild = CodeBuild(builds, reports)
        balancers = Balancers(clock)
        self._monitoring = Monitoring(clock, stream, balancers)
        self._databases = Databases(state, self._credentials_of, self._refusal_to_connect)
        engine = self._containers
        running = run_services(state, endpoint, clock, stream, balancers, self.guard.assume, engine, self._databases)
        self._services, self.service_list, self.faults = running

        def executors_of(role: str) -> dict[str, Executor]:
            actor = Actor(self.guard, role)
            start = functools.partial(self._start_build, actor)
            clients, archives = Clients(endpoint, actor.credentials), SourceArchives(repositories, actor)
            return executors(clients, archives, clock, start, builds.runs)

        providers = with_roles(executors_of)
        if failing:
            providers = with_failing_action(providers, failing)
        self.codepipeline = RunningCodePipeline(lambda state: Runner(state, providers, clock, stream))
        self._rules.start_pipelines(self._start_pipeline)
        self._rules.start_builds(self._start_build_for_rule)
        rehearsed.install()

    @property
    def containers(self) -> str:
        """The container engine with its version; empty without one."""
        return self._containers.title if self._containers else ""

    @property
    def hold_limits(self) -> Callable[[str, Document], None]:
        """To be called with the region and each scalable target that was registered or updated."""
        return self._services.hold_limits

    @property
    def resource_types(self) -> list[ResourceType]:
        """In place of ministack's."""
        services = containers.Service(self._services)
        clusters = DBCluster(self._databases)
        return [CodeBuildProject(self._codebuild), containers.TaskDefinition(), services, clusters]

    @property
    def services(self) -> dict[str, AwsService]:
        """APIs by the prefix of the `X-Amz-Target` header."""
        return {
            "CodeBuild_20161006": self._codebuild,
            "SpencerFrontendService": EcrPublic(),
            "AWSEvents.PutTargets": RuleTargets(),
            "Logs_20140328.PutLogEvents": self._monitoring.log_metrics,
        }

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Deliver events in this loop, from within it, before the first request."""
        for kind in (containers.Service, DBCluster):
            ministack_bridge.wait_for(kind.name)
        self._rules.attach(loop)
        self._monitoring.start(loop)

    def stop(self) -> None:
        """End the actions of pipelines, builds and containers, and the evaluation of alarms."""
        self._monitoring.stop()
        self.codepipeline.stop()
        self._codebuild.stop()
        self._databases.stop()
        if self._place.aws is not None:
            self._place.aws.close()
        if self._containers is not None:
            leftovers.remove(self._containers.folder)

    def _store_report(self, region: str, build: Document, group: str, report: Report | Coverage) -> str:
        arn = group_arn(region, group)
        actor = Actor(self.guard, build.get("serviceRole", ""), session_name(build["id"]))
        created = () if self._reports.find(arn) else ("codebuild:CreateReportGroup",)
        try:
            put = "codebuild:BatchPutTestCases" if isinstance(report, Report) else "codebuild:BatchPutCodeCoverages"
            actor.require(region, arn, *created, *_REPORTING, put)
        except Denied as error:
            raise ReportRefused(f"error processing report: AccessDeniedException: {error}") from error
        return self._reports.store(region, build, group, report)

    def _credentials_of(self, access_key: str) -> Credentials | None:
        if access_key == ACCESS_KEY:
            return Credentials(ACCESS_KEY, SECRET_KEY)
        session = self.guard.session_of(access_key)
        return session.credentials if session else None

    def _refusal_to_connect(self, access_key: str, region: str, resource_id: str, user: str) -> str:
        """Why the holder of an access key may not sign in to a database; empty where it may."""
        session = self.guard.session_of(access_key)
        if session is None:
            return ""
        resource = f"arn:aws:rds-db:{region}:{ACCOUNT}:dbuser:{resource_id}/{user}"
        try:
            self.guard.require(session.role_arn, session.name, region, [Need("rds-db:connect", resource)])
        except Denied as error:
            return str(error)
        return ""

    def _codebuild_tags(self, arn: str) -> dict[str, str]:
        return self._codebuild.tags_of(arn)

    def _pipeline_tags(self, arn: str) -> dict[str, str]:
        return self.codepipeline.tags_of(arn)

    def _start_pipeline(self, pipeline: str, rule: str, role: str) -> None:
        """Start a pipeline for a rule. EventBridge has only a metric for targets that it may not invoke."""
        try:
            Actor(self.guard, role, "events").require(pipeline.split(":")[3], pipeline, _START)
        except Denied as error:
            print(f"{rule}: {error}", file=sys.stderr)  # The log of local AWS.
        else:
            self.codepipeline.start_for_event(pipeline, rule)

    def _start_build_for_rule(self, project: str, rule: str, role: str, given: str) -> None:
        """Start a build for a rule, with the target's input. As for pipelines, EventBridge has only a metric."""
        region, name = project.split(":")[3], project.rpartition("/")[2]
        try:
            Actor(self.guard, role, "events").require(region, project, _START_BUILD)
            self._codebuild.start_for_event(region, name, given, rule.rpartition("/")[2])
        except (Denied, ServiceError) as error:
            print(f"{rule}: {error}", file=sys.stderr)

    def _start_build(self, actor: Actor, region: str, given: Document, initiator: str, commit: str) -> Document:
        try:
            actor.require(region, project_arn(region, given["projectName"]), _START_BUILD)
            return self._codebuild.start(region, given, initiator, commit)
        except Denied as error:
            raise BuildRefused(f"Error code: AccessDeniedException, message: {error}") from error
        except ServiceError as error:
            raise BuildRefused(f"Error code: {error.code}, message: {error.message}") from error
