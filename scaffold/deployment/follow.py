"""Following the release of a commit through the pipeline."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

from botocore.exceptions import BotoCoreError, ClientError

from scaffold.aws import build_exports, codepipeline, paused_deployments, pipeline_state, release_logs
from scaffold.aws.cloudformation.stack_events import pauses
from scaffold.aws.pipeline_state import ActionRun, Execution, StageState
from scaffold.aws.session import Session, signed_in
from scaffold.aws.stand_in import is_stand_in
from scaffold.console.console import Console, one_line
from scaffold.core.errors import Interrupted, ScaffoldError
from scaffold.core.target import Target
from scaffold.deployment import release_tree
from scaffold.deployment.registry_failures import Unreached, find_unreached
from scaffold.deployment.scope import command_for, start_command
from scaffold.service import names
from scaffold.service.service import Service

# EventBridge delivers a push within seconds; longer means that the event was lost.
_START_SECONDS = 120
_PASSED = ("Succeeded", "Skipped")
_WITHOUT_ENGINE = (
    "end this local AWS (`scaffold local stop`, or leave its shell), then run "
    "`SCAFFOLD_CONTAINER_ENGINE=none scaffold deploy --local --wait`"
)


@dataclass(frozen=True)
class Release:
    """A release that has ended, or waits for a decision.

    Attributes:
        execution: The id of the pipeline execution.
        waiting: The stage in which, or before which, it waits for approval; None where it has succeeded.
        behind: The execution that waits for approval in that stage, where this one waits for it; None otherwise.
        stand_in: Whether its image was built without a container engine, which only local AWS does.
    """

    execution: str
    commit: str
    waiting: str | None
    behind: str | None = None
    stand_in: bool = False


class ReleaseFailed(ScaffoldError):
    """The release of a commit has failed or was stopped.

    Attributes:
        execution: The id of the pipeline execution that failed; None for one that was stopped, replaced or kept back.
        action: The action that failed; None where it was a condition of its stage.
        unreached: The registry that its build could not reach; None where it has failed otherwise.
    """

    execution: str | None = None
    action: ActionRun | None = None
    unreached: Unreached | None = None


def wait_for_release(service: Service, target: Target, commit: str, console: Console) -> Release:
    """Follow the release of a commit that was deployed.

    Raises:
        ReleaseFailed: As `follow`.
        Interrupted: Ctrl-C; the release continues.
    """
    try:
        with signed_in(service, target, console) as session:
            release = follow(session, service, commit, console)
            return replace(release, stand_in=_stands_in(session, service, release))
    except KeyboardInterrupt as interruption:
        status = command_for(target, "scaffold status --watch")
        raise Interrupted("Interrupted; the release continues on AWS.", f"`{status}` shows it.") from interruption


def _stands_in(session: Session, service: Service, release: Release) -> bool:
    if not session.target.local:
        return False
    runs = pipeline_state.action_runs(session, service.app_name, release.execution)
    return is_stand_in(session, service.app_name, build_exports.digest_of(runs) or "")


def follow(
    session: Session,
    service: Service,
    commit: str,
    console: Console,
    *,
    until: str | None = None,
    printed: set[str] | None = None,
) -> Release:
    """Follow the release of a commit until it has succeeded, or waits for a decision.

    Args:
        until: The stage after whose success the release is followed no further; None for the last one.
        printed: As `Console.live` takes it, for a release that is followed again after a decision.

    Raises:
        ReleaseFailed: It failed, was rejected, stopped or replaced by a newer one, or waits for a disabled transition.
        ScaffoldError: No execution of the commit has started.
    """
    wait = pauses()
    deadline = time.monotonic() + _START_SECONDS
    failed = False
    with console.live(printed) as live:
        while True:
            executions = pipeline_state.latest_executions(session, service.app_name)
            # A rollback has the commit of an earlier release.
            execution = next((one for one in executions if one.commit == commit and not one.rollback), None)
            if execution and execution.status not in pipeline_state.REPLACED:
                runs = pipeline_state.action_runs(session, service.app_name, execution.id)
                live.update(release_tree.lines(runs, redrawn=live.redraws))
                if execution.status == "Succeeded":
                    return Release(execution.id, commit, None)
                # A stage that is retried by itself may be shown as failed for a moment.
                if execution.status == "Failed" and failed:
                    raise _failed(session, service, execution, runs)
                failed = execution.status == "Failed"
                if not failed and (release := _reached(session, service, execution, runs, until)):
                    return release
                deadline = time.monotonic() + _START_SECONDS
            elif time.monotonic() > deadline:
                raise (
                    _replaced(session, service, execution, executions)
                    if execution
                    else _not_started(session, service, commit)
                )
            wait()


def _reached(
    session: Session, service: Service, execution: Execution, runs: Sequence[ActionRun], until: str | None
) -> Release | None:
    """Where a release is followed no further: at a decision about itself, or about the one in the stage before which it
    waits, or after the last stage that counts.

    Raises:
        ReleaseFailed: It waits for a transition that is disabled.
    """
    for run in runs:
        if run.category == "Approval" and run.status == "InProgress":
            return Release(execution.id, str(execution.commit), run.stage)
    # Read once: the last stage may succeed at any moment, and then the next one has the release before it.
    stages = pipeline_state.stages(session, service.app_name)
    passed = [stage.name for stage in stages if stage.execution == execution.id and stage.status in _PASSED]
    if until in passed:
        return Release(execution.id, str(execution.commit), None)
    for run in runs:
        if (run.name, run.status) == (names.SERVICE_ACTION, "InProgress") and _pauses(session, service, stages, run):
            return Release(execution.id, str(execution.commit), run.stage)
    for stage in stages:
        if execution.id not in stage.inbound:
            continue
        if stage.disabled_reason is not None:
            raise _disabled(session, service, stage)
        if stage.waits_for_approval:
            return Release(execution.id, str(execution.commit), stage.name, stage.execution)
    return None


def _pauses(session: Session, service: Service, stages: Sequence[StageState], run: ActionRun) -> bool:
    """Whether the tasks of an environment run, and wait for a decision before they get traffic."""
    actions = [action.name for stage in stages for action in stage.actions if stage.name == run.stage]
    environment = next((one for one in service.environments if names.pipeline_stage(one) == run.stage), None)
    if environment is None or names.END_PAUSE_ACTION not in actions:
        return False
    return paused_deployments.find(session, service.app_name, environment) is not None


def _failed(session: Session, service: Service, execution: Execution, runs: Sequence[ActionRun]) -> ReleaseFailed:
    run = next((run for run in runs if run.status == "Failed"), None)
    log = _log(session, run) if run else ()
    found = find_unreached(log)
    failure = _explained(session, service, execution, run, found)
    failure.execution, failure.action, failure.log, failure.unreached = execution.id, run, log, found
    return failure


def _log(session: Session, run: ActionRun) -> tuple[str, ...]:
    """The last lines of the build that is an action; none of another action, and none that the caller may not read."""
    if run.category not in ("Build", "Test") or not run.external:
        return ()
    try:
        return release_logs.of_build(session, run.external)
    except (BotoCoreError, ClientError):
        return ()


def _explained(
    session: Session, service: Service, execution: Execution, run: ActionRun | None, unreached: Unreached | None
) -> ReleaseFailed:
    status = command_for(session.target, "scaffold status")
    stages = pipeline_state.stages(session, service.app_name)
    if run is None:
        return _not_entered(session, execution, stages) or ReleaseFailed(
            "The release failed.", f"`{status}` shows the stages of the pipeline."
        )
    why = str(unreached) if unreached else one_line(run.reason).rstrip(".")
    happened = f"The release failed in the action {run.name} of the stage {run.stage}{why and f': {why}'}."
    # After a rollback, or with another release in the stage, there is nothing to retry.
    there = any(stage.name == run.stage and stage.execution == execution.id for stage in stages)
    retry = command_for(session.target, f"scaffold retry {run.stage}")
    if unreached:
        again = retry if there else start_command(session.target, service.app_name)
        remedy = unreached.remedy(local=session.target.local, again=again, without_engine=_WITHOUT_ENGINE)
        return ReleaseFailed(happened, remedy)
    if there:
        return ReleaseFailed(happened, f"Fix the cause with a commit, or run the action again: `{retry}`.")
    return ReleaseFailed(happened, f"Fix the cause with a commit; `{status}` shows what runs now.")


def _not_entered(session: Session, execution: Execution, stages: Sequence[StageState]) -> ReleaseFailed | None:
    """The failure of a release by a condition before the entry of a stage; None for another one."""
    # A condition that is not met may also skip a stage.
    for stage in (one for one in stages if (one.execution, one.status) == (execution.id, "Failed")):
        for condition in stage.conditions:
            if condition.kind == "BEFORE_ENTRY" and condition.blocks:
                why = one_line(condition.summary or "").rstrip(".")
                return ReleaseFailed(
                    f"The release failed by the condition before the stage {stage.name} "
                    f"({', '.join(condition.rules)}){why and f': {why}'}. Nothing there has changed.",
                    f"Once it is met, run `{command_for(session.target, f'scaffold retry {stage.name}')}`.",
                )
    return None


def _disabled(session: Session, service: Service, stage: StageState) -> ReleaseFailed:
    enable = command_for(
        session.target,
        "aws codepipeline enable-stage-transition",
        f"--region {service.region} --pipeline-name {names.pipeline(service.app_name)}",
        f"--stage-name {stage.name} --transition-type Inbound",
    )
    if stage.disabled_reason == codepipeline.ROLLBACK_REASON:
        enable = command_for(session.target, f"scaffold retry {stage.name}")
    reason = one_line(stage.disabled_reason or "")
    return ReleaseFailed(
        f"The release waits: the transition into the stage {stage.name} is disabled{reason and f': {reason}'}.",
        f"To enable it: `{enable}`.",
    )


def _replaced(
    session: Session, service: Service, execution: Execution, executions: Sequence[Execution]
) -> ReleaseFailed:
    happened, newest = f"The release was {execution.status.lower()}", executions[0]
    if newest.id != execution.id and newest.commit:
        return ReleaseFailed(
            f"{happened}, and commit {newest.commit[:7]} is released.",
            f"`{command_for(session.target, 'scaffold status')}` shows that release.",
        )
    return ReleaseFailed(
        f"{happened}.",
        f"Release again with `{start_command(session.target, service.app_name)}`.",
    )


def _not_started(session: Session, service: Service, commit: str) -> ScaffoldError:
    return ScaffoldError(
        f"The pipeline has not started a release of commit {commit[:7]} within {_START_SECONDS} seconds.",
        f"Start it: `{start_command(session.target, service.app_name)}`.",
    )
