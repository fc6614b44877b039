"""The past releases of an environment, as the executions of the pipeline's stage for it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import islice
from typing import ClassVar

from scaffold.aws import build_exports, pipeline_state
from scaffold.aws.pipeline_state import ActionRun, Execution
from scaffold.aws.running_service import image_digest
from scaffold.aws.session import Session
from scaffold.aws.stand_in import is_stand_in
from scaffold.core.results import Result
from scaffold.deployment.addresses import service_url
from scaffold.deployment.inventory import live_stacks
from scaffold.deployment.scope import check_environment
from scaffold.service import endpoint, history, identity, names
from scaffold.service.service import Service
from scaffold.service.stack_kinds import TASK_DEFINITION, StackId

SUCCEEDED = "Succeeded"
# An execution costs a call, and most of those that do not reach an environment have failed in their build.
_MOST_EXECUTIONS = 100


@dataclass(frozen=True)
class PastRelease:
    """What an execution of the pipeline did in the stage of an environment, from its approval on.

    Attributes:
        name: What its build has named it; None where the pipeline's build exports no name.
        execution: The id of the pipeline execution.
        version: The image's tag; None where the pipeline's build exported none.
        tags: The Git tags of the commit in the local clone.
        started: When the stage's first action started.
        ended: When its last action ended; None while one is in progress.
        trigger: What started the execution, as CodePipeline names it; `ManualRollback` or `AutomatedRollback` of a
            rollback.
        started_by: The ARN of that rule, user or role.
        approved_by: The ARN of who approved or rejected it; None where no decision was needed.
        outcome: The outcome of the stage as CodePipeline names it, such as `Succeeded`, `Failed` or `InProgress`.
        waits: Whether it waits for approval.
        reason: Why it failed, with the action.
        rollback_of: The execution that a rollback ran again; None of any other release.
        answers: Whether its version is the one that answers, and it is the newest such release.
    """

    name: str | None
    execution: str
    version: str | None
    commit: str | None
    tags: tuple[str, ...]
    started: datetime | None
    ended: datetime | None
    trigger: str | None
    started_by: str | None
    approved_by: str | None
    outcome: str
    waits: bool
    reason: str | None
    rollback_of: str | None
    answers: bool = False


@dataclass(frozen=True)
class ReleasesResult(Result):
    """The past releases of an environment.

    Attributes:
        url: The service's URL; None before the environment's first release.
        answers: The version that the URL answers; None where it answers none.
        no_answer: Why it answers none, as the end of a sentence.
        releases: The newest first.
        stand_in: Whether the image of its task definition was built without a container engine, which only local AWS
            does.
    """

    command: ClassVar[str] = "releases"

    service: str
    account: str
    region: str
    local: bool
    environment: str
    url: str | None
    answers: str | None
    no_answer: str | None
    releases: tuple[PastRelease, ...]
    stand_in: bool = False


def find_releases(session: Session, service: Service, environment: str, limit: int) -> ReleasesResult:
    """The newest releases of an environment, at most `limit`.

    Raises:
        UsageError: No such environment.
        ScaffoldError: The service is not deployed, or another service of its name is.
    """
    check_environment(service, service.environments, environment)
    pipeline_state.stages(session, service.app_name)
    stacks, _ = live_stacks(session, service, identity.root_commit(service), "scaffold releases")
    url = service_url(stacks, environment)
    answers, no_answer = endpoint.answer(url)
    found = list(islice(past_releases(session, service, environment), limit))
    return ReleasesResult(
        service.app_name,
        session.account,
        session.region,
        session.target.local,
        environment,
        url,
        answers,
        no_answer,
        tuple(_with_answer(found, answers)),
        is_stand_in(session, service.app_name, image_digest(stacks.get(StackId(TASK_DEFINITION, environment)))),
    )


def past_releases(
    session: Session, service: Service, environment: str, successes: Sequence[Execution] | None = None
) -> Iterator[PastRelease]:
    """The releases of an environment, the newest first; each costs a call, so take no more than needed.

    Args:
        successes: The executions that succeeded in the environment's stage; None where they are still to be listed.
    """
    app, stage = service.app_name, names.pipeline_stage(environment)
    if successes is None:
        successes = pipeline_state.succeeded(session, app, stage)
    succeeded = {one.id for one in successes}
    newest = list(islice(pipeline_state.executions(session, app), _MOST_EXECUTIONS))
    known = {one.id for one in newest}
    # With many pushes between two approvals, none of the newest executions may have reached production.
    for execution in (*newest, *(one for one in successes if one.id not in known)):
        runs = pipeline_state.action_runs(session, app, execution.id)
        here = [run for run in runs if run.stage in (names.approval_stage(environment), stage)]
        if here:
            # A rollback runs its stage only: the build is that of its target.
            built = pipeline_state.action_runs(session, app, execution.target) if execution.target else runs
            outcome = _outcome(execution, runs, here, stage, succeeded)
            yield _release(service, execution, here, built, outcome)


def _release(
    service: Service, execution: Execution, here: Sequence[ActionRun], built: Sequence[ActionRun], outcome: str
) -> PastRelease:
    failed = next((run for run in here if run.status == "Failed"), None)
    ends = [run.ended for run in here]
    return PastRelease(
        name=build_exports.name_of(built),
        execution=execution.id,
        version=build_exports.version_of(built),
        commit=execution.commit,
        tags=history.tags(service, execution.commit) if execution.commit else (),
        started=min((run.started for run in here if run.started), default=None),
        ended=max((end for end in ends if end), default=None) if outcome != "InProgress" else None,
        trigger=execution.trigger,
        started_by=execution.started_by,
        approved_by=next((run.by for run in here if run.by), None),
        outcome=outcome,
        waits=any(run.category == "Approval" and run.status == "InProgress" for run in here),
        reason=f"{failed.name}: {failed.reason}".rstrip(": ") if failed else None,
        rollback_of=execution.target,
    )


def _outcome(
    execution: Execution, runs: Sequence[ActionRun], here: Sequence[ActionRun], stage: str, succeeded: set[str]
) -> str:
    """The outcome of a stage, by its actions and its approval: CodePipeline tells that of its newest execution only."""
    statuses = {run.status for run in here}
    if execution.id in succeeded:
        return SUCCEEDED
    if "InProgress" in statuses:
        return "InProgress"
    if "Failed" in statuses:
        return "Failed"
    if "Abandoned" in statuses:
        return "Stopped"
    # A later stage, or a newer execution in its place, begins after this one's success.
    passed = runs[-1].stage != here[-1].stage or execution.status == "Superseded"
    return SUCCEEDED if passed and here[-1].stage == stage else execution.status


def _with_answer(releases: Sequence[PastRelease], answers: str | None) -> Iterator[PastRelease]:
    """Mark the newest release with the version that answers, one that succeeded before any other."""
    same = [one for one in releases if answers is not None and one.version == answers]
    chosen = next((one for one in same if one.outcome == SUCCEEDED), same[0] if same else None)
    for one in releases:
        yield replace(one, answers=one is chosen)
