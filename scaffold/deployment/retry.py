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
        failed: Of an enabled transition, the stage that shows a failure which can be retried; None without one.
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
    failed: str | None = None


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
        chosen = _chosen(session, service, stage)
        disabled = next(filter(_rolled_back, chosen), None)
        if disabled:
            codepipeline.enable_transitions(session, service.app_name, [disabled.name])
            return _enabled(session, service, disabled, chosen)
        failed = chosen[0]
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


def _enabled(session: Session, service: Service, stage: StageState, chosen: list[StageState]) -> RetryResult:
    failed = [one.name for one in chosen if one.status in pipeline_state.RETRYABLE]
    return RetryResult(
        service.app_name,
        session.account,
        session.region,
        session.target.local,
        stage.name,
        next(iter(stage.inbound), None),
        (),
        enabled=True,
        failed=failed[-1] if failed else None,
    )


def _chosen(session: Session, service: Service, wanted: str | None) -> list[StageState]:
    """The stage to retry, and that into which a rollback of the same environment has disabled the transition.

    Raises:
        UsageError: No such stage.
        ScaffoldError: There is nothing to retry, or several stages are.
    """
    stages = pipeline_state.stages(session, service.app_name)
    found: dict[str, list[StageState]] = {}
    for stage in stages:
        if _rolled_back(stage) or stage.status in pipeline_state.RETRYABLE:
            leads_to = _deploying_stage(service, stage.name) if _rolled_back(stage) else stage.name
            found.setdefault(leads_to, []).append(stage)
    if wanted is not None:
        names_of_stages = {stage.name.casefold(): stage.name for stage in stages}
        if wanted.casefold() not in names_of_stages:
            raise UsageError(
                f"The pipeline of {service.app_name} has no stage {wanted!r}.",
                f"Its stages are {', '.join(stage.name for stage in stages)}.",
            )
        name = names_of_stages[wanted.casefold()]
        found = {key: group for key, group in found.items() if name in (key, *(one.name for one in group))}
    if not found:
        happened = "No stage has failed" if wanted is None else f"The stage {name} has not failed"
        raise ScaffoldError(
            f"{happened} in the pipeline of {service.app_name} in {session.title}.",
            "`scaffold status` shows what the pipeline is doing.",
        )
    if len(found) > 1:
        raise ScaffoldError(
            f"Several stages have failed or were rolled back: {', '.join(found)}.", "Add the stage to the command."
        )
    return next(iter(found.values()))


def _deploying_stage(service: Service, stage: str) -> str:
    """The stage that deploys to the environment to which a stage belongs; the stage itself where it belongs to none."""
    for environment in service.environments:
        if stage in names.stages_of(environment):
            return names.pipeline_stage(environment)
    return stage


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
        words = {"stage": stage.name, "start": start_command(session.target, service.app_name)}
        raise ScaffoldError(f"Nothing is retried: {happened.format(**words)}.", remedy.format(**words)) from error
