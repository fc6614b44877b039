"""What a service's repository, pipeline and environments are doing; nothing is changed."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import ClassVar

from scaffold.aws import codecommit, databases, pipeline_state, running_service
from scaffold.aws.cloudformation.stacks import Stack
from scaffold.aws.pipeline_state import Execution, StageState
from scaffold.aws.running_service import Alarm, Image, ServiceDeployment, Tasks
from scaffold.aws.session import Session
from scaffold.core.errors import EXIT_DONE, EXIT_DRIFT
from scaffold.core.results import Result
from scaffold.deployment import completed_release, environment_branches, environment_database, health_check
from scaffold.deployment.addresses import service_url
from scaffold.deployment.completed_release import CompletedRelease
from scaffold.deployment.environment_alarms import ringing_in, ringing_where
from scaffold.deployment.inventory import live_stacks
from scaffold.deployment.stack_drift import StackDrift, find_drift
from scaffold.deployment.trials import Trial, find_trial
from scaffold.service import endpoint, history, identity, names
from scaffold.service.service import Service
from scaffold.service.stack_kinds import DATABASE, SERVICE, TASK_DEFINITION, StackId


@dataclass(frozen=True)
class NewestRelease:
    """The newest execution in the stage of an environment.

    Attributes:
        status: As CodePipeline names it: `InProgress`, `Succeeded`, `Failed`, `Stopped` or `Cancelled`.
        commit: None before the source action has ended, and where AWS has forgotten the execution.
        at: When one of its actions changed last.
    """

    status: str
    commit: str | None
    at: datetime | None


@dataclass(frozen=True)
class EnvironmentStatus:
    """An environment and what runs there.

    Attributes:
        url: The service's URL; None before the environment's first release.
        answers: The version that the URL answers; None where it answers none.
        no_answer: Why it answers none, as the end of a sentence.
        version: The version of its task definition.
        commit: The commit of the last successful release; the image was built from its application.
        ahead: How many commits main has and this commit has not; None where the local clone cannot tell.
        alarms: The names of those in the state ALARM.
        stacks: Its stacks whose last operation failed or is in progress, with their statuses.
        tags: The Git tags of the commit in the local clone.
        release: The newest one, successful or not; None before the first.
        completed: The newest successful one; None before the first, and where AWS has forgotten it.
        branch: None where branches do not promote, and for the first environment, which follows main.
        trial: How to try the release that waits for a decision while its tasks run; None where none does.
        office_hours: Whether it runs in some hours only.
        database: None where it has none.
        restored: The cluster of the database that is restored beside it; None where there is none.
        health_check_due: Whether `scaffold deploy` has to follow the release, for a health check by Route 53.
    """

    name: str
    production: bool
    url: str | None
    answers: str | None
    no_answer: str | None
    version: str | None
    image: Image | None
    commit: str | None
    ahead: int | None
    tasks: Tasks | None
    alarms: tuple[str, ...]
    deployment: ServiceDeployment | None
    stacks: Mapping[str, str]
    tags: tuple[str, ...] = ()
    release: NewestRelease | None = None
    completed: CompletedRelease | None = None
    branch: environment_branches.EnvironmentBranch | None = None
    trial: Trial | None = None
    office_hours: bool = False
    database: environment_database.EnvironmentDatabase | None = None
    restored: databases.Cluster | None = None
    health_check_due: bool = False

    @property
    def asleep(self) -> bool:
        """Whether it runs no tasks outside of its office hours."""
        return self.office_hours and self.tasks is not None and self.tasks.desired == 0

    @property
    def differences(self) -> tuple[str, ...]:
        """What does not fit together of the version that answers, commit, tag and branch, each as a sentence.

        While a release is in progress, another version may answer.
        """
        completed = self.completed
        if completed is None:
            return ()
        found = []
        moving = self.release is not None and self.release.status == "InProgress"
        if not moving and self.answers and completed.version and self.answers != completed.version:
            found.append(f"{self.answers} answers, but the last release that succeeded is of {completed.version}.")
        if not moving and self.branch and self.branch.commit != self.commit:
            found.append(self.branch.difference(self.commit))
        if completed.tag and completed.tagged is None:
            found.append(f"The repository has no tag {completed.tag}.")
        elif completed.tag and completed.tagged != completed.commit:
            found.append(f"The tag {completed.tag} leads to {completed.tagged}, not to the commit of the release.")
        return tuple(found)


@dataclass(frozen=True)
class StatusResult(Result):
    """The state of a service.

    Attributes:
        head: The commit of main in the repository; None for an empty repository.
        subject: The first line of that commit's message; None where the local clone lacks the commit.
        commits: The commits of the executions in the stages, by execution.
        unpushed: How many commits the local main has and the repository's has not; None where the clone cannot tell.
        drift: The stacks compared with the commits; None where they were not compared.
    """

    command: ClassVar[str] = "status"

    service: str
    account: str
    region: str
    local: bool
    head: str | None
    subject: str | None
    unpushed: int | None
    stages: tuple[StageState, ...]
    commits: Mapping[str, str | None]
    environments: tuple[EnvironmentStatus, ...]
    drift: tuple[StackDrift, ...] | None = None

    @property
    def exit_code(self) -> int:
        """12 if stacks were changed in AWS, else 0."""
        return EXIT_DRIFT if any(one.drifted for one in self.drift or ()) else EXIT_DONE


def look(session: Session, service: Service, *, drift: bool = False) -> StatusResult:
    """The state of a service now: six calls with that for the caller's identity, and up to six for each environment.

    A database costs two more, and one that is restored beside it another; a deployment that can wait for a decision, an
    alarm of another topic, a health check two, and one more while it waits for `scaffold deploy`.

    Args:
        drift: Compare every stack with the commits too, with one more call for each.

    Raises:
        ScaffoldError: It is not deployed, or another service of its name is.
    """
    stages = pipeline_state.stages(session, service.app_name)
    executions = pipeline_state.latest_executions(session, service.app_name)
    head = codecommit.main_commit(session, service.app_name)
    stacks, _ = live_stacks(session, service, identity.root_commit(service), "scaffold status")
    ringing = ringing_where(session, service.app_name, stacks)
    # Clients are created one after the other; boto3's sessions are not safe to use in several threads, its clients are.
    for name in (*running_service.CLIENTS, "codecommit", "codepipeline", "rds"):
        session.client(name)
    commits = {one.id: one.commit for one in executions}
    releases = {stage.name: _newest(stage, commits) for stage in stages}
    # Of these, the last success needs not be looked up.
    newest = [stage for stage in stages if stage.status == "Succeeded"]
    succeeded = {stage.name: one for stage in newest for one in executions if one.id == stage.execution}
    current = {stage.execution for stage in stages}
    pool = ThreadPoolExecutor(len(service.environments))
    try:
        each = partial(
            _environment,
            session,
            service,
            stacks=stacks,
            head=head,
            ringing=ringing,
            releases=releases,
            succeeded=succeeded,
            stages=stages,
            followed=environment_branches.followed(service, stages),
        )
        found = tuple(pool.map(each, service.environments))
    finally:
        # After Ctrl-C, calls that have started are not waited for.
        pool.shutdown(wait=False, cancel_futures=True)
    subject = history.find(service, head) if head else None
    unpushed = history.between(service, head, names.BRANCH) if head else None
    return StatusResult(
        service=service.app_name,
        account=session.account,
        region=session.region,
        local=session.target.local,
        head=head,
        subject=subject.subject if subject else None,
        unpushed=None if unpushed is None else len(unpushed),
        stages=stages,
        commits={one: commit for one, commit in commits.items() if one in current},
        environments=found,
        drift=find_drift(session, service, stacks, head, {one.name: one.commit for one in found}) if drift else None,
    )


def _newest(stage: StageState, commits: Mapping[str, str | None]) -> NewestRelease | None:
    if not stage.status or not stage.execution:
        return None
    changed = [action.changed for action in stage.actions if action.changed]
    return NewestRelease(stage.status, commits.get(stage.execution), max(changed, default=None))


def _environment(
    session: Session,
    service: Service,
    name: str,
    stacks: Mapping[StackId, Stack],
    head: str | None,
    ringing: Sequence[Alarm],
    releases: Mapping[str, NewestRelease | None],
    succeeded: Mapping[str, Execution],
    stages: Sequence[StageState],
    followed: Collection[str],
) -> EnvironmentStatus:
    app = service.app_name
    task_definition = stacks.get(StackId(TASK_DEFINITION, name))
    digest = running_service.image_digest(task_definition)
    running = stacks.get(StackId(SERVICE, name))
    url = service_url(stacks, name)
    stage = names.pipeline_stage(name)
    release = succeeded.get(stage) or pipeline_state.last_success(session, app, stage)
    commit = release.commit if release else None
    behind = history.between(service, commit, head) if commit and head else None
    answers, no_answer = endpoint.answer(url)
    deployment = running_service.newest_deployment(session, app, name)
    return EnvironmentStatus(
        name=name,
        production=name == service.production,
        url=url,
        answers=answers,
        no_answer=no_answer,
        version=task_definition.parameters.get("Version") if task_definition else None,
        image=running_service.image(session, app, digest) if digest else None,
        commit=commit,
        ahead=None if behind is None else len(behind),
        tasks=running_service.tasks(session, app, name),
        alarms=ringing_in(session, app, name, stacks, ringing),
        deployment=deployment,
        stacks={
            stack.name: stack.status
            for stack_id, stack in stacks.items()
            if stack_id.environment == name and stack.unsettled
        },
        tags=history.tags(service, commit) if commit else (),
        release=releases.get(stage),
        completed=completed_release.look(session, service, name, release, tagged=stage in succeeded)
        if release
        else None,
        branch=environment_branches.look(session, service, name) if name in followed else None,
        trial=find_trial(session, service, name, stacks) if deployment and deployment.status == "IN_PROGRESS" else None,
        database=environment_database.look(session, stacks.get(StackId(DATABASE, name)), name, stages),
        restored=environment_database.look_for_restored(session, service, name),
        health_check_due=health_check.awaits_deployment(session, service, name, stacks),
        office_hours=bool(running and running.parameters.get("SleepsAtNight") == "true"),
    )
