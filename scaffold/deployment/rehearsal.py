"""A rehearsal: deploying a service to an AWS of its own and following its pipeline to the end."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import ClassVar

from scaffold.aws import (
    alarm_data,
    codepipeline,
    parameters,
    pipeline_state,
    pull_requests,
    release_logs,
    running_service,
)
from scaffold.aws.cloudformation import stacks
from scaffold.aws.pipeline_state import ActionRun
from scaffold.aws.secret_stores import store_named
from scaffold.aws.session import Session, signed_in
from scaffold.console.console import Console
from scaffold.core.errors import EXIT_DONE, EXIT_RELEASE_FAILED, EXIT_WAITS_FOR_APPROVAL
from scaffold.core.results import Result
from scaffold.core.target import Target
from scaffold.deployment import approvers, pipeline_names, release_tree
from scaffold.deployment.addresses import find_url
from scaffold.deployment.approval import Approval, WaitingRelease, decide_in
from scaffold.deployment.deploy import deploy
from scaffold.deployment.follow import ReleaseFailed, follow
from scaffold.deployment.registry_failures import Unreached
from scaffold.deployment.rehearsal_traffic import Traffic
from scaffold.deployment.status import EnvironmentStatus, StatusResult, look
from scaffold.service import names, secret_names, task_settings
from scaffold.service.service import Service
from scaffold.service.stack_kinds import ALARMS, SERVICE, StackId

_EXIT_CODES = {"succeeded": EXIT_DONE, "failed": EXIT_RELEASE_FAILED, "waiting": EXIT_WAITS_FOR_APPROVAL}
_MESSAGE = "scaffold rehearse"


@dataclass(frozen=True)
class RehearsedAction:
    """An action of the pipeline in a rehearsal.

    Attributes:
        status: As CodePipeline names it.
        seconds: How long it took.
    """

    name: str
    status: str
    seconds: float | None


@dataclass(frozen=True)
class RehearsedStage:
    """A stage of the pipeline in a rehearsal.

    Attributes:
        status: As CodePipeline names it; None where the release has not entered it.
        seconds: How long it took.
        actions: Those that were started.
    """

    name: str
    status: str | None
    seconds: float | None
    actions: tuple[RehearsedAction, ...]


@dataclass(frozen=True)
class FailedAction:
    """The action that ended a rehearsal.

    Attributes:
        reason: Why it failed, in the words of its provider.
        log: The last lines of its build, or of the tasks of its environment.
        unreached: The registry that its build could not reach; None where it has failed otherwise.
    """

    stage: str
    action: str
    reason: str
    log: tuple[str, ...]
    unreached: Unreached | None = None


@dataclass(frozen=True)
class RehearsalResult(Result):
    """How far a commit came.

    Attributes:
        commit: The commit that was rehearsed.
        outcome: `succeeded`, `failed`, or `waiting` for an approval.
        execution: The id of the pipeline execution.
        until: The stage after which the rehearsal was to end; None for the last one.
        waiting: The stage that waits for approval; None where none does.
        failed: The action that failed; None where none did, but for example a condition of a stage.
        seconds: How long it all took, without the start of local AWS.
        kept: Whether local AWS is still running.
        container_engine: With its version; None where images were stood in for.
        requests: How many were sent to production during its release.
        failed_requests: How many of them had no answer or an error.
        alarms_without_data: Those of production that had too little to judge; None where it was not released.
        messages: What SNS would have sent to people.
    """

    command: ClassVar[str] = "rehearse"

    service: str
    region: str
    local: bool
    commit: str
    outcome: str
    execution: str
    until: str | None
    waiting: str | None
    failed: FailedAction | None
    seconds: float
    stages: tuple[RehearsedStage, ...]
    environments: tuple[EnvironmentStatus, ...]
    kept: bool = False
    container_engine: str | None = None
    requests: int = 0
    failed_requests: int = 0
    alarms_without_data: tuple[str, ...] | None = None
    messages: tuple[str, ...] = ()

    @property
    def exit_code(self) -> int:
        """0 for the end that was asked for, 1 for a release that failed, 11 for one that waits."""
        return _EXIT_CODES[self.outcome]


def rehearse(
    service: Service,
    target: Target,
    *,
    until: str | None,
    failing: str | None,
    speed: float,
    approve: Callable[[WaitingRelease], bool],
    console: Console,
) -> RehearsalResult:
    """Deploy a service, and follow the release of its commit to the end.

    Args:
        service: With its commit checked out.
        target: An AWS in which nothing of the service exists.
        until: The stage after whose success the rehearsal ends; None for the last one.
        failing: The action that the target makes fail, as STAGE/ACTION; None for none.
        speed: How many seconds of waiting pass in one second.
        approve: Called with each release that waits for approval; false ends the rehearsal.

    Raises:
        UsageError: The deployed pipeline has no such stage or action.
        ScaffoldError: The deployment failed, or the pipeline did not start.
    """
    began = time.monotonic()
    if service.build_secrets:
        with signed_in(service, target, console) as session:
            for variable in service.build_secrets:
                name = secret_names.build_secret(service.app_name, variable)
                parameters.put_secret(session, name, f"rehearsed value of {variable}")
    if task_settings.knows_secrets(service) and (listed := task_settings.listed_secrets(service)):
        with signed_in(service, target, console) as session:
            for name, secret in listed.items():
                for environment in secret.versions:
                    path = secret_names.secret(service.app_name, environment, name)
                    store_named(session, secret.store).create(path, f"rehearsed value of {name}", {})
    # The release is followed from its first stage on, and may have to end there.
    commit = deploy(service, target, plan=False, console=console, ensure_start=False).commit
    with signed_in(service, target, console) as session:
        until = _prepare(session, service, until, failing)
        waiting, failed = None, None
        traffic = Traffic(_url_of(session, service), speed)
        since = datetime.now(UTC)
        try:
            with traffic.during():
                execution, waiting = _follow(session, service, commit, until, approve, console)
            outcome = "waiting" if waiting else "succeeded"
        except ReleaseFailed as failure:
            if failure.execution is None:
                raise
            execution, outcome = failure.execution, "failed"
            failed = _failed(session, service, failure, failure.action) if failure.action else None
        state = look(session, service)
        runs = pipeline_state.action_runs(session, service.app_name, execution)
        return RehearsalResult(
            service=service.app_name,
            region=session.region,
            local=target.local,
            commit=commit,
            outcome=outcome,
            execution=execution,
            until=until,
            waiting=waiting,
            failed=failed,
            seconds=time.monotonic() - began,
            stages=_stages(state, execution, runs),
            environments=state.environments,
            requests=traffic.sent.requests,
            failed_requests=traffic.sent.failed,
            alarms_without_data=_alarms_without_data(session, service, since) if traffic.sent.requests else None,
        )


def _url_of(session: Session, service: Service) -> Callable[[], str | None]:
    """A function that finds the URL of production, in another thread."""
    session.client("cloudformation")  # Clients may be used in several threads, but not created there.
    return lambda: find_url(session, service, service.production)


def _alarms_without_data(session: Session, service: Service, since: datetime) -> tuple[str, ...]:
    of_production = [StackId(kind, service.production).name(service.app_name) for kind in (ALARMS, SERVICE)]
    existing = [name for name in of_production if stacks.find(session, name)]
    alarms = [alarm for stack in existing for alarm in running_service.alarms_of(session, stack)]
    return alarm_data.without_data(session, alarms, since)


def _prepare(session: Session, service: Service, until: str | None, failing: str | None) -> str | None:
    """Check the names once more, against the pipeline that was really deployed, and keep releases from the stages after
    the last one; return that stage's name.
    """
    stages = pipeline_names.deployed(pipeline_state.stages(session, service.app_name))
    if failing:
        pipeline_names.chosen_action(service, stages, failing)
    if until is None:
        return None
    last = pipeline_names.chosen_stage(service, stages, until)
    in_order = list(stages)
    for following in in_order[in_order.index(last) + 1 :][:1]:
        reason = f"scaffold rehearse --until {last}"
        codepipeline.disable_transition(session, service.app_name, following, reason)
    return last


def _follow(
    session: Session,
    service: Service,
    commit: str,
    until: str | None,
    approve: Callable[[WaitingRelease], bool],
    console: Console,
) -> tuple[str, str | None]:
    """Follow the release through its approvals; return its execution, and the stage in which it waits at the end."""
    printed: set[str] = set()

    def approved(release: WaitingRelease) -> bool:
        if not approve(release):
            return False
        if release.pull_request:
            # There are no reviewers in a rehearsal.
            pull_requests.override_rules(session, release.pull_request)
        return True

    while True:
        release = follow(session, service, commit, console, until=until, printed=printed)
        if release.waiting is None:
            return release.execution, None
        existing = stacks.find_all(session)
        decided = decide_in(
            session,
            service,
            Approval,
            existing,
            environment=None,
            execution=release.execution,
            message=_MESSAGE,
            confirm=approved,
            by=approvers.rehearsing(service, session, existing),
        )
        if decided is None:
            return release.execution, release.waiting


def _failed(session: Session, service: Service, failure: ReleaseFailed, run: ActionRun) -> FailedAction:
    environment = next((one for one in service.environments if names.pipeline_stage(one) == run.stage), None)
    log = failure.log
    if environment and run.category not in ("Build", "Test"):
        log = release_logs.of_newest_task(session, service.app_name, environment)
    return FailedAction(run.stage, run.name, run.reason, log, failure.unreached)


def _stages(state: StatusResult, execution: str, runs: Sequence[ActionRun]) -> tuple[RehearsedStage, ...]:
    found = []
    for stage in state.stages:
        own = [run for run in runs if run.stage == stage.name]
        actions = tuple(RehearsedAction(run.name, run.status, release_tree.seconds([run])) for run in own)
        status = stage.status if stage.execution == execution else None
        found.append(RehearsedStage(stage.name, status, release_tree.seconds(own), actions))
    return tuple(found)
