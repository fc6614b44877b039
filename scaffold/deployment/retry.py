"""Retrying a failed stage of the pipeline, or enabling the transition that a rollback has disabled."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from botocore.exceptions import ClientError

from scaffold.aws import codepipeline, pipeline_state
from scaffold.aws.cloudformation.stacks import find_all
from scaffold.aws.errors import code_of
from scaffold.aws.pipeline_state import StageState
from scaffold.aws.session import Session, signed_in
from scaffold.console.console import Console
from scaffold.core.errors import ScaffoldError, UsageError
from scaffold.core.results import Result
from scaffold.core.target import Target
from scaffold.deployment.ownership import check_stacks
from scaffold.deployment.scope import start_command
from scaffold.service import identity, names
from scaffold.service.service import Service

_REFUSALS = {
    "NotLatestPipelineExecutionException": (
        "a newer execution has entered the stage {stage} since",
        "The newer one decides: `scaffold status` shows it.",
    ),
    "StageNotRetryableException": (
        "the pipeline has changed since the stage {stage} failed",
        "Release again with a commit, or with `{start}`.",
    ),
    "ConflictException": (
        "the stage {stage} is being retried or rolled back already",
        "`scaffold status` shows what it is doing.",
    ),
}


@dataclass(frozen=True)
class RetryResult(Result):
    """A retried stage.

    Attributes:
        execution: The id of the pipeline execution that goes on; None where none waits for an enabled transition.
        actions: The actions that run again; empty for all of the stage.
        enabled: Whether the transition into the stage was enabled, and nothing runs again.
        failed: Whether the stage still shows a failure that can be retried.
    """

    command: ClassVar[str] = "retry"

    service: str
    account: str
    region: str
    local: bool
    stage: str
    execution: str | None
    actions: tuple[str, ...]
    enabled: bool = False
    failed: bool = False


def retry(service: Service, target: Target, *, stage: str | None, all_actions: bool, console: Console) -> RetryResult:
    """Retry the failed actions of a stage, or all of its actions; after a rollback, enable the transition into it.

    A stage that has failed and was rolled back is not run again at the same time: that would undo the rollback.

    Args:
        stage: The name of the stage, or of its environment; None for the only one that failed or was rolled back.

    Raises:
        UsageError: No such stage.
        ScaffoldError: The stage has not failed, several have, CodePipeline does not retry it, or another service of the
            same name is deployed.
    """
    root_commit = identity.root_commit(service)
    with signed_in(service, target, console) as session:
        check_stacks(service, root_commit, find_all(session).values(), "scaffold retry")
        failed = _chosen(session, service, stage)
        if _rolled_back(failed):
            codepipeline.enable_transitions(session, service.app_name, [failed.name])
            return _enabled(session, service, failed)
        # A stage that was stopped, or that a condition failed, has no failed action.
        actions = () if all_actions else _failed_actions(session, service, failed)
        _retry(session, service, failed, "FAILED_ACTIONS" if actions else "ALL_ACTIONS")
        return RetryResult(
            service.app_name,
            session.account,
            session.region,
            target.local,
            failed.name,
            str(failed.execution),
            actions,
        )


def _rolled_back(stage: StageState) -> bool:
    return stage.disabled_reason == codepipeline.ROLLBACK_REASON


def _enabled(session: Session, service: Service, stage: StageState) -> RetryResult:
    return RetryResult(
        service.app_name,
        session.account,
        session.region,
        session.target.local,
        stage.name,
        next(iter(stage.inbound), None),
        (),
        enabled=True,
        failed=stage.status in pipeline_state.RETRYABLE,
    )


def _chosen(session: Session, service: Service, wanted: str | None) -> StageState:
    stages = pipeline_state.stages(session, service.app_name)
    if wanted is not None:
        chosen = [stage for stage in stages if stage.name.casefold() == wanted.casefold()]
        if not chosen:
            raise UsageError(
                f"The pipeline of {service.app_name} has no stage {wanted!r}.",
                f"Its stages are {', '.join(stage.name for stage in stages)}.",
            )
        stages = tuple(chosen)
    failed = [stage for stage in stages if stage.status in pipeline_state.RETRYABLE or _rolled_back(stage)]
    if not failed:
        happened = "No stage has failed" if wanted is None else f"The stage {stages[0].name} has not failed"
        raise ScaffoldError(
            f"{happened} in the pipeline of {service.app_name} in {session.title}.",
            "`scaffold status` shows what the pipeline is doing.",
        )
    if len(failed) > 1:
        raise ScaffoldError(
            f"Several stages have failed or were rolled back: {', '.join(stage.name for stage in failed)}.",
            "Add the stage to the command.",
        )
    return failed[0]


def _failed_actions(session: Session, service: Service, stage: StageState) -> tuple[str, ...]:
    runs = pipeline_state.action_runs(session, service.app_name, str(stage.execution))
    return tuple(run.name for run in runs if run.stage == stage.name and run.status == "Failed")


def _retry(session: Session, service: Service, stage: StageState, mode: str) -> None:
    try:
        session.client("codepipeline").retry_stage_execution(
            pipelineName=names.pipeline(service.app_name),
            stageName=stage.name,
            pipelineExecutionId=stage.execution,
            retryMode=mode,
        )
    except ClientError as error:
        if code_of(error) not in _REFUSALS:
            raise
        happened, remedy = _REFUSALS[code_of(error)]
        words = {"stage": stage.name, "start": start_command(session.target, service)}
        raise ScaffoldError(f"Nothing is retried: {happened.format(**words)}.", remedy.format(**words)) from error
