"""Following the release of a commit through the pipeline."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from scaffold.aws import pipeline_state
from scaffold.aws.cloudformation.stack_events import pauses
from scaffold.aws.pipeline_state import ActionState, Execution, StageState
from scaffold.aws.session import Session, signed_in
from scaffold.console.console import Console, Live, one_line
from scaffold.core.errors import Interrupted, ScaffoldError
from scaffold.core.target import Target
from scaffold.service import names, preflight
from scaffold.service.service import Service

# EventBridge delivers a push within seconds; longer means that the event was lost.
_START_SECONDS = 120
_MARKS = {"Succeeded": "✓", "Failed": "✗", "InProgress": "…"}
# An update of the pipeline ends its execution, and starts another one for the same commit.
_REPLACED = {"Stopped", "Cancelled", "Superseded"}


@dataclass(frozen=True)
class Release:
    """A release that has ended, or waits for a decision.

    Attributes:
        execution: The id of the pipeline execution.
        waiting: The stage in which, or before which, it waits for approval; None where it has succeeded.
        behind: The execution that waits for approval in that stage, where this one waits for it; None otherwise.
    """

    execution: str
    commit: str
    waiting: str | None
    behind: str | None = None


class ReleaseFailed(ScaffoldError):
    """The release of a commit has failed or was stopped."""


def wait_for_release(service: Service, target: Target, console: Console) -> Release:
    """Follow the release of the commit that was deployed, main's in the local clone.

    Raises:
        ReleaseFailed: As `follow`.
        Interrupted: Ctrl-C; the release continues.
    """
    commit = preflight.deployable_commit(service)
    try:
        with signed_in(service, target, console) as session:
            return follow(session, service, commit, console)
    except KeyboardInterrupt as interruption:
        raise Interrupted(
            "Interrupted; the release continues on AWS.", "`scaffold status --watch` shows it."
        ) from interruption


def follow(session: Session, service: Service, commit: str, console: Console) -> Release:
    """Follow the release of a commit until it has succeeded, or waits for a decision.

    Raises:
        ReleaseFailed: It failed, was rejected, stopped or replaced by a newer one.
        ScaffoldError: No execution of the commit has started.
    """
    with console.live() as live:
        while True:
            execution = _started(session, service, commit)
            release = _until_it_ends(session, service, execution, live)
            if release:
                return release


def _started(session: Session, service: Service, commit: str) -> Execution:
    """The newest execution of the commit, once there is one that no other one replaces."""
    deadline = time.monotonic() + _START_SECONDS
    wait = pauses()
    while True:
        execution = _newest_of(session, service, commit)
        if execution and execution.status not in _REPLACED:
            return execution
        if time.monotonic() > deadline:
            raise _replaced(session, service, execution) if execution else _not_started(service, commit)
        wait()


def _until_it_ends(session: Session, service: Service, execution: Execution, live: Live) -> Release | None:
    """Show an execution until it has succeeded or waits; None where another one replaces it."""
    wait = pauses()
    while True:
        status = pipeline_state.status_of(session, service.app_name, execution.id)
        everything = pipeline_state.stages(session, service.app_name)
        stages = [stage for stage in everything if stage.execution == execution.id]
        live.update([line for stage in stages for line in _lines(stage)])
        if status in _REPLACED:
            return None
        if status == "Failed":
            raise _failed(stages)
        if status == "Succeeded":
            return Release(execution.id, str(execution.commit), None)
        if stage := _waiting(everything, execution.id):
            behind = stage.execution if stage.execution != execution.id else None
            return Release(execution.id, str(execution.commit), stage.name, behind)
        wait()


def _waiting(stages: Sequence[StageState], execution: str) -> StageState | None:
    """The stage in which an execution waits for approval, or before which it waits for one that does: a stage has one
    execution at a time.
    """
    own = [number for number, stage in enumerate(stages) if stage.execution == execution]
    if not own:
        return None
    newest = stages[own[-1]]
    following = stages[own[-1] + 1 : own[-1] + 2] if newest.status == "Succeeded" else ()
    return next((stage for stage in (newest, *following) if any(action.token for action in stage.actions)), None)


def _newest_of(session: Session, service: Service, commit: str) -> Execution | None:
    executions = pipeline_state.latest_executions(session, service.app_name)
    return next((one for one in executions if one.commit == commit), None)


def _lines(stage: StageState) -> list[str]:
    started = [action for action in stage.actions if action.status]
    actions = [f"  {_mark(action.status)} {action.name}{_detail(action)}" for action in started]
    return [f"{_mark(stage.status)} {stage.name}", *actions]


def _mark(status: str | None) -> str:
    return _MARKS.get(status or "", "-")


def _detail(action: ActionState) -> str:
    if action.token:
        return ": waits for approval"
    return f": {one_line(action.reason)}" if action.status == "Failed" and action.reason else ""


def _failed(stages: Sequence[StageState]) -> ReleaseFailed:
    for stage in stages:
        for action in stage.actions:
            if stage.status == "Failed" and action.status == "Failed":
                why = one_line(action.reason or action.summary or "").rstrip(".")
                return ReleaseFailed(
                    f"The release failed in the action {action.name} of the stage {stage.name}{why and f': {why}'}.",
                    f"Fix the cause with a commit, or run the action again: `scaffold retry {stage.name}`.",
                )
    return ReleaseFailed("The release failed.", "`scaffold status` shows the stages of the pipeline.")


def _replaced(session: Session, service: Service, execution: Execution) -> ReleaseFailed:
    newest = pipeline_state.latest_executions(session, service.app_name)[0]
    happened = f"The release was {execution.status.lower()}"
    if newest.id != execution.id and newest.commit:
        return ReleaseFailed(
            f"{happened}, and commit {newest.commit[:7]} is released.", "`scaffold status` shows that release."
        )
    return ReleaseFailed(
        f"{happened}.",
        f"Release again with `{_start(service)}`.",
    )


def _not_started(service: Service, commit: str) -> ScaffoldError:
    return ScaffoldError(
        f"The pipeline has not started a release of commit {commit[:7]} within {_START_SECONDS} seconds.",
        f"Start it: `{_start(service)}`.",
    )


def _start(service: Service) -> str:
    name = names.pipeline(service.app_name)
    return f"aws codepipeline start-pipeline-execution --region {service.region} --name {name}"
