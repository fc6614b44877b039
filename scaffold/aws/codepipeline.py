"""Stopping a pipeline, so that it does not make anew what is being taken away."""

from __future__ import annotations

from typing import Any

from botocore.exceptions import ClientError

from scaffold.aws.errors import code_of, suppress_code
from scaffold.aws.session import Account
from scaffold.service import names

REASON = "scaffold destroy"


def stop(account: Account, app_name: str, environment: str | None = None) -> list[str]:
    """Close the way into the pipeline's stages and end what runs in them.

    Args:
        account: The account.
        app_name: The service's name.
        environment: Close the way into this environment's stage only; None for all stages.

    Returns:
        The stages that are closed now.
    """
    client, name = account.client("codepipeline"), names.pipeline(app_name)
    try:
        states = client.get_pipeline_state(name=name)["stageStates"]
    except ClientError as error:
        if code_of(error) == "PipelineNotFoundException":
            return []
        raise
    # The first stage has no way in that could be closed.
    wanted = names.pipeline_stage(environment) if environment else None
    chosen = [state for state in states[1:] if wanted in (None, state["stageName"])]
    for state in chosen:
        if state.get("inboundTransitionState", {}).get("enabled", True):
            client.disable_stage_transition(
                pipelineName=name, stageName=state["stageName"], transitionType="Inbound", reason=REASON
            )
    for execution in _running(client, name, chosen, everything=environment is None):
        _stop(client, name, execution)
    return [state["stageName"] for state in chosen]


def closed(account: Account, app_name: str) -> list[str]:
    """The stages that an earlier `scaffold destroy` closed.

    Args:
        account: The account.
        app_name: The service's name.
    """
    client = account.client("codepipeline")
    try:
        states = client.get_pipeline_state(name=names.pipeline(app_name))["stageStates"]
    except ClientError as error:
        if code_of(error) == "PipelineNotFoundException":
            return []
        raise
    transitions = {state["stageName"]: state.get("inboundTransitionState", {}) for state in states}
    return [stage for stage, way in transitions.items() if not way.get("enabled", True) and _ours(way)]


def reopen(account: Account, app_name: str, stages: list[str]) -> None:
    """Open the way into stages again.

    Args:
        account: The account.
        app_name: The service's name.
        stages: Their names, from `closed`.
    """
    for stage in stages:
        account.client("codepipeline").enable_stage_transition(
            pipelineName=names.pipeline(app_name), stageName=stage, transitionType="Inbound"
        )


def _ours(transition: dict[str, Any]) -> bool:
    return transition.get("disabledReason") == REASON


def _running(client: Any, name: str, states: list[dict[str, Any]], *, everything: bool) -> list[str]:
    if everything:
        pages = client.get_paginator("list_pipeline_executions").paginate(pipelineName=name)
        summaries = [summary for page in pages for summary in page["pipelineExecutionSummaries"]]
        return [one["pipelineExecutionId"] for one in summaries if one["status"] == "InProgress"]
    latest = [state.get("latestExecution", {}) for state in states]
    return [one["pipelineExecutionId"] for one in latest if one.get("status") == "InProgress"]


def _stop(client: Any, name: str, execution: str) -> None:
    # It may have ended by itself, or somebody else may be stopping it.
    with suppress_code("PipelineExecutionNotStoppableException", "DuplicatedStopRequestException"):
        client.stop_pipeline_execution(pipelineName=name, pipelineExecutionId=execution, abandon=True, reason=REASON)
