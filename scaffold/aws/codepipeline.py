"""The pipeline's stage transitions: disabled while its stacks are deleted, enabled when they are deployed again."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from botocore.exceptions import ClientError

from scaffold.aws.errors import code_of, suppress_code
from scaffold.aws.session import Session
from scaffold.service import names

REASON = "scaffold destroy"
#: The reason of a transition that a rollback has disabled; `scaffold retry` enables it.
ROLLBACK_REASON = "scaffold rollback"


def enabled_stages(session: Session, app_name: str, environment: str | None = None) -> list[str]:
    """The stages whose inbound transition is enabled: those of an environment, or all; the first stage has none."""
    states = _chosen(_states(session.client("codepipeline"), names.pipeline(app_name)), environment)
    return [state["stageName"] for state in states if state.get("inboundTransitionState", {}).get("enabled", True)]


def disable_transition(session: Session, app_name: str, stage: str, reason: str = REASON) -> None:
    """Disable the transition into a stage."""
    session.client("codepipeline").disable_stage_transition(
        pipelineName=names.pipeline(app_name), stageName=stage, transitionType="Inbound", reason=reason
    )


def stop_executions(session: Session, app_name: str, environment: str | None = None) -> None:
    """Stop the executions in an environment's stages, or all."""
    client, name = session.client("codepipeline"), names.pipeline(app_name)
    if states := _chosen(_states(client, name), environment):
        for execution in _running(client, name, states, everything=environment is None):
            _stop(client, name, execution)


def stage_states(session: Session, app_name: str) -> list[dict[str, Any]]:
    """The states of the stages in order, as CodePipeline describes them; empty where there is no pipeline."""
    return _states(session.client("codepipeline"), names.pipeline(app_name))


def updates_itself(states: list[dict[str, Any]]) -> bool:
    """Whether the pipeline gets as far as updating its own stacks: neither that stage nor one before it has failed.

    A merge gate that holds a commit has not failed, whatever an earlier commit has done in these stages: otherwise a
    deployment would ship what waits for approval or was rejected.

    Args:
        states: What `stage_states` returns.
    """
    stages = [state["stageName"] for state in states]
    if names.SELF_UPDATE_STAGE not in stages:
        return False
    return _held_by_gate(states) or not any(
        _broken(state) for state in states[: stages.index(names.SELF_UPDATE_STAGE) + 1]
    )


def disabled_stages(states: list[dict[str, Any]]) -> list[str]:
    """The stages whose transition an earlier `scaffold destroy` disabled.

    Args:
        states: What `stage_states` returns.
    """
    transitions = {state["stageName"]: state.get("inboundTransitionState", {}) for state in states}
    return [
        stage
        for stage, transition in transitions.items()
        if not transition.get("enabled", True) and transition.get("disabledReason") == REASON
    ]


def enable_transitions(session: Session, app_name: str, stages: Iterable[str]) -> None:
    """Enable the transitions into stages again, unless the pipeline has updated itself and has a stage no longer."""
    for stage in stages:
        with suppress_code("StageNotFoundException"):
            session.client("codepipeline").enable_stage_transition(
                pipelineName=names.pipeline(app_name), stageName=stage, transitionType="Inbound"
            )


def _held_by_gate(states: list[dict[str, Any]]) -> bool:
    """Whether the newest commit at the merge gate has not passed it."""
    latest = {state["stageName"]: state.get("latestExecution", {}) for state in states}
    compared, approval = latest.get(names.GATE_STAGE, {}), latest.get(names.GATE_APPROVAL_STAGE, {})
    if compared.get("status") == "InProgress":
        return True
    same = compared.get("pipelineExecutionId") == approval.get("pipelineExecutionId")
    return bool(approval) and same and approval.get("status") not in ("Succeeded", "Skipped")


def _broken(state: dict[str, Any]) -> bool:
    if state["stageName"] == names.GATE_APPROVAL_STAGE:
        return False
    looked_at = [state]
    if state["stageName"] == names.GATE_STAGE:
        looked_at = [one for one in state["actionStates"] if one["actionName"] == names.GATE_ACTION]
    return any(one.get("latestExecution", {}).get("status") == "Failed" for one in looked_at)


def _states(client: Any, name: str) -> list[dict[str, Any]]:
    try:
        states: list[dict[str, Any]] = client.get_pipeline_state(name=name)["stageStates"]
    except ClientError as error:
        if code_of(error) == "PipelineNotFoundException":
            return []
        raise
    return states


def _chosen(states: list[dict[str, Any]], environment: str | None) -> list[dict[str, Any]]:
    return [state for state in states[1:] if environment is None or state["stageName"] in names.stages_of(environment)]


def _running(client: Any, name: str, states: list[dict[str, Any]], *, everything: bool) -> list[str]:
    if everything:
        pages = client.get_paginator("list_pipeline_executions").paginate(pipelineName=name)
        summaries = [summary for page in pages for summary in page["pipelineExecutionSummaries"]]
        return [one["pipelineExecutionId"] for one in summaries if one["status"] == "InProgress"]
    latest = [state.get("latestExecution", {}) for state in states]
    return [one["pipelineExecutionId"] for one in latest if one.get("status") == "InProgress"]


def _stop(client: Any, name: str, execution: str) -> None:
    # It may have ended by now, or another person may be stopping it.
    with suppress_code("PipelineExecutionNotStoppableException", "DuplicatedStopRequestException"):
        client.stop_pipeline_execution(pipelineName=name, pipelineExecutionId=execution, abandon=True, reason=REASON)
