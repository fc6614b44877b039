"""What a service's pipeline is doing: its stages, their actions, and the executions in them."""

from __future__ import annotations

from collections.abc import Iterator
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
#: Those of an execution that has ended in favour of another one: an update of the pipeline ends its execution, and
#: starts another one for the same commit.
REPLACED = ("Stopped", "Cancelled", "Superseded")


@dataclass(frozen=True)
class ActionState:
    """The newest execution of an action.

    Attributes:
        status: As CodePipeline names it, such as `InProgress`; None before the first one.
        reason: Why it failed, in the words of the action's provider.
        summary: What the provider says about it, such as the message of a person's decision.
        token: What a decision about a manual approval has to name; None unless it waits for one.
        external: What its provider calls its work, such as the id of a build; None where it has none.
    """

    name: str
    status: str | None
    reason: str | None
    summary: str | None
    token: str | None
    changed: datetime | None
    url: str | None
    external: str | None = None


@dataclass(frozen=True)
class ConditionState:
    """The newest evaluation of a stage's condition.

    Attributes:
        kind: `BEFORE_ENTRY` or `ON_SUCCESS`, as CodePipeline names what can be overridden.
        status: As CodePipeline names it, such as `InProgress`, `Failed` or `Overridden`.
        summary: Why it is not met; None where CodePipeline does not say.
        rules: The names of its rules.
    """

    kind: str
    status: str
    summary: str | None
    rules: tuple[str, ...]

    @property
    def when(self) -> str:
        """`before` or `after`, of the stage."""
        return "before" if self.kind == "BEFORE_ENTRY" else "after"

    @property
    def blocks(self) -> bool:
        """Whether a release waits for it, or has failed by it."""
        return self.status in ("InProgress", "Failed", "Errored")


@dataclass(frozen=True)
class StageState:
    """A stage with its newest execution.

    Attributes:
        status: As CodePipeline names it; None before the first execution.
        execution: The id of the pipeline execution that is, or was last, in the stage.
        disabled_reason: Why the transition into the stage is disabled; None while it is enabled.
        inbound: The ids of the executions that wait to enter the stage.
        actions: Each action's newest execution, of whichever pipeline execution that was.
        conditions: Of its newest execution, those before entry and on success.
    """

    name: str
    status: str | None
    execution: str | None
    disabled_reason: str | None
    inbound: tuple[str, ...]
    actions: tuple[ActionState, ...]
    conditions: tuple[ConditionState, ...] = ()

    @property
    def waits_for_approval(self) -> bool:
        """Whether its execution waits for a person's decision."""
        return any(action.token for action in self.actions)


@dataclass(frozen=True)
class ActionRun:
    """The newest attempt at an action within one pipeline execution.

    Attributes:
        status: As CodePipeline names it: `InProgress`, `Succeeded`, `Failed` or `Abandoned`.
        reason: Why it failed, or what the provider says about it.
        variables: Its output variables.
        started: When it started.
        ended: When its status changed last; None while it is in progress.
        by: The ARN of who decided, of an approval; None of another action.
        external: What its provider calls its work, such as the id of a build; None while it is in progress.
    """

    stage: str
    name: str
    category: str
    status: str
    reason: str
    variables: dict[str, str]
    started: datetime | None = None
    ended: datetime | None = None
    by: str | None = None
    external: str | None = None


@dataclass(frozen=True)
class Execution:
    """A pipeline execution.

    Attributes:
        commit: The commit of its source; None before its source action has ended.
        rollback: Whether it runs a stage of an earlier execution again.
        target: The id of that earlier execution.
        trigger: What started it, as CodePipeline names it, such as `CloudWatchEvent` or `StartPipelineExecution`.
        started_by: The ARN of that rule, user or role; None where CodePipeline does not say.
    """

    id: str
    status: str
    commit: str | None
    rollback: bool
    target: str | None = None
    trigger: str | None = None
    started_by: str | None = None


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


def latest_executions(session: Session, app_name: str) -> list[Execution]:
    """The newest hundred executions, the newest first."""
    return _executions(session, app_name, maxResults=100)


def last_success(session: Session, app_name: str, stage: str) -> Execution | None:
    """The newest execution that succeeded in a stage; None where none did, or AWS has forgotten it."""
    chosen = {"filter": {"succeededInStage": {"stageName": stage}}}
    return next(iter(_executions(session, app_name, maxResults=1, **chosen)), None)


def succeeded(session: Session, app_name: str, stage: str) -> list[Execution]:
    """The newest hundred executions of the pipeline's current structure that succeeded in a stage, the newest first."""
    return _executions(session, app_name, maxResults=100, filter={"succeededInStage": {"stageName": stage}})


def executions(session: Session, app_name: str) -> Iterator[Execution]:
    """All executions that CodePipeline remembers, the newest first; pages are read as they are needed."""
    pages = session.client("codepipeline").get_paginator("list_pipeline_executions")
    for page in pages.paginate(pipelineName=names.pipeline(app_name)):
        yield from map(_execution, page["pipelineExecutionSummaries"])


def action_runs(session: Session, app_name: str, execution: str) -> list[ActionRun]:
    """What an execution's actions have done, in the order in which they started."""
    pages = (
        session.client("codepipeline")
        .get_paginator("list_action_executions")
        .paginate(pipelineName=names.pipeline(app_name), filter={"pipelineExecutionId": execution})
    )
    found: dict[tuple[str, str], ActionRun] = {}
    for page in pages:
        for one in page["actionExecutionDetails"]:
            # The newest attempt comes first.
            found.setdefault((one["stageName"], one["actionName"]), _run(one))
    return list(reversed(found.values()))


def source_runs(session: Session, app_name: str, execution: str) -> list[ActionRun]:
    """What the actions have done whose artifacts and variables an execution has: a rollback has those of its target."""
    runs = action_runs(session, app_name, execution)
    if any(run.category == "Source" for run in runs):
        return runs
    found = next((one for one in latest_executions(session, app_name) if one.id == execution), None)
    return action_runs(session, app_name, found.target) if found and found.target else runs


def _executions(session: Session, app_name: str, **arguments: Any) -> list[Execution]:
    client = session.client("codepipeline")
    answer = client.list_pipeline_executions(pipelineName=names.pipeline(app_name), **arguments)
    return [_execution(one) for one in answer["pipelineExecutionSummaries"]]


def _execution(summary: dict[str, Any]) -> Execution:
    revisions = summary.get("sourceRevisions") or [{}]
    trigger = summary.get("trigger", {})
    return Execution(
        summary["pipelineExecutionId"],
        summary["status"],
        revisions[0].get("revisionId"),
        summary.get("executionType") == "ROLLBACK",
        summary.get("rollbackMetadata", {}).get("rollbackTargetPipelineExecutionId"),
        trigger.get("triggerType"),
        trigger.get("triggerDetail"),
    )


def _stage(state: dict[str, Any]) -> StageState:
    transition, latest = state.get("inboundTransitionState", {}), state.get("latestExecution", {})
    enabled = transition.get("enabled", True)
    return StageState(
        state["stageName"],
        latest.get("status"),
        latest.get("pipelineExecutionId"),
        None if enabled else str(transition.get("disabledReason", "")),
        tuple(one["pipelineExecutionId"] for one in state.get("inboundExecutions", [])),
        tuple(_action(action) for action in state["actionStates"]),
        tuple(_conditions(state)),
    )


def _conditions(state: dict[str, Any]) -> Iterator[ConditionState]:
    for kind, key in (("BEFORE_ENTRY", "beforeEntryConditionState"), ("ON_SUCCESS", "onSuccessConditionState")):
        found = state.get(key, {})
        if status := found.get("latestExecution", {}).get("status"):
            rules = [rule["ruleName"] for one in found.get("conditionStates", []) for rule in one.get("ruleStates", [])]
            yield ConditionState(kind, status, found["latestExecution"].get("summary"), tuple(rules))


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
        latest.get("externalExecutionId"),
    )


def _run(details: dict[str, Any]) -> ActionRun:
    output = details.get("output", {})
    result = output.get("executionResult", {})
    category = details.get("input", {}).get("actionTypeId", {}).get("category", "")
    return ActionRun(
        details["stageName"],
        details["actionName"],
        category,
        details["status"],
        result.get("errorDetails", {}).get("message") or result.get("externalExecutionSummary") or "",
        output.get("outputVariables", {}),
        details.get("startTime"),
        None if details["status"] == "InProgress" else details.get("lastUpdateTime"),
        details.get("updatedBy") if category == "Approval" else None,
        result.get("externalExecutionId"),
    )
