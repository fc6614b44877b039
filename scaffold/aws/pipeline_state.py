"""What a service's pipeline is doing: its stages, their actions, and the executions in them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from botocore.exceptions import ClientError

from scaffold.aws.errors import code_of
from scaffold.aws.session import Session
from scaffold.core.errors import ScaffoldError
from scaffold.service import names

#: The statuses of a stage whose execution can be retried.
RETRYABLE = ("Failed", "Stopped")


@dataclass(frozen=True)
class ActionState:
    """The newest execution of an action.

    Attributes:
        status: As CodePipeline names it, such as `InProgress`; None before the first one.
        reason: Why it failed, in the words of the action's provider.
        summary: What the provider says about it, such as the message of a person's decision.
        token: What a decision about a manual approval has to name; None unless it waits for one.
    """

    name: str
    status: str | None
    reason: str | None
    summary: str | None
    token: str | None
    changed: datetime | None
    url: str | None


@dataclass(frozen=True)
class StageState:
    """A stage with its newest execution.

    Attributes:
        status: As CodePipeline names it; None before the first execution.
        execution: The id of the pipeline execution that is, or was last, in the stage.
        disabled_reason: Why the transition into the stage is disabled; None while it is enabled.
    """

    name: str
    status: str | None
    execution: str | None
    disabled_reason: str | None
    actions: tuple[ActionState, ...]


@dataclass(frozen=True)
class Execution:
    """A pipeline execution.

    Attributes:
        commit: The commit of its source; None before its source action has ended.
    """

    id: str
    status: str
    commit: str | None
    started: datetime | None


def stages(session: Session, app_name: str) -> tuple[StageState, ...]:
    """The stages in their order.

    Raises:
        ScaffoldError: There is no pipeline.
    """
    try:
        state = session.client("codepipeline").get_pipeline_state(name=names.pipeline(app_name))
    except ClientError as error:
        if code_of(error) != "PipelineNotFoundException":
            raise
        raise ScaffoldError(
            f"{app_name} has no pipeline in {session.title}.", "Deploy the service first: `scaffold deploy`."
        ) from error
    return tuple(_stage(stage) for stage in state["stageStates"])


def status_of(session: Session, app_name: str, execution: str) -> str:
    """The status of an execution, such as `InProgress`."""
    answer = session.client("codepipeline").get_pipeline_execution(
        pipelineName=names.pipeline(app_name), pipelineExecutionId=execution
    )
    return str(answer["pipelineExecution"]["status"])


def latest_executions(session: Session, app_name: str) -> list[Execution]:
    """The newest hundred executions, the newest first."""
    return _executions(session, app_name, maxResults=100)


def last_success(session: Session, app_name: str, stage: str) -> Execution | None:
    """The newest execution that succeeded in a stage; None where none did, or AWS has forgotten it."""
    chosen = {"filter": {"succeededInStage": {"stageName": stage}}}
    return next(iter(_executions(session, app_name, maxResults=1, **chosen)), None)


def output_variables(session: Session, app_name: str, execution: str) -> dict[str, dict[str, str]]:
    """The output variables of an execution's actions, by the actions' names."""
    pages = (
        session.client("codepipeline")
        .get_paginator("list_action_executions")
        .paginate(pipelineName=names.pipeline(app_name), filter={"pipelineExecutionId": execution})
    )
    found: dict[str, dict[str, str]] = {}
    for page in pages:
        for one in page["actionExecutionDetails"]:
            # The newest attempt comes first.
            found.setdefault(one["actionName"], one.get("output", {}).get("outputVariables", {}))
    return found


def _executions(session: Session, app_name: str, **arguments: Any) -> list[Execution]:
    client = session.client("codepipeline")
    answer = client.list_pipeline_executions(pipelineName=names.pipeline(app_name), **arguments)
    return [_execution(one) for one in answer["pipelineExecutionSummaries"]]


def _execution(summary: dict[str, Any]) -> Execution:
    revisions = summary.get("sourceRevisions") or [{}]
    return Execution(
        summary["pipelineExecutionId"], summary["status"], revisions[0].get("revisionId"), summary.get("startTime")
    )


def _stage(state: dict[str, Any]) -> StageState:
    transition, latest = state.get("inboundTransitionState", {}), state.get("latestExecution", {})
    enabled = transition.get("enabled", True)
    return StageState(
        state["stageName"],
        latest.get("status"),
        latest.get("pipelineExecutionId"),
        None if enabled else str(transition.get("disabledReason", "")),
        tuple(_action(action) for action in state["actionStates"]),
    )


def _action(state: dict[str, Any]) -> ActionState:
    latest = state.get("latestExecution", {})
    return ActionState(
        state["actionName"],
        latest.get("status"),
        latest.get("errorDetails", {}).get("message"),
        latest.get("summary"),
        latest.get("token") if latest.get("status") == "InProgress" else None,
        latest.get("lastStatusChange"),
        latest.get("externalExecutionUrl"),
    )
