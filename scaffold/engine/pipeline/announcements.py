"""The events of CodePipeline, in the form that EventBridge delivers."""

from __future__ import annotations

import time
from typing import Any

from scaffold.engine.events import Event
from scaffold.engine.pipeline.jobs import Location
from scaffold.engine.pipeline.state import ActionRun, Execution, PipelineState

#: The states of events by the statuses of the API, where they are not the same word.
_STATES = {"InProgress": "STARTED", "Cancelled": "CANCELED"}


def pipeline_event(state: PipelineState, execution: Execution, now: float, resumed: bool = False) -> Event:
    """The state of an execution has changed."""
    detail: dict[str, Any] = {
        "execution-trigger": {"trigger-type": execution.trigger, "trigger-detail": execution.trigger_detail}
    }
    if execution.status == "Stopping" and execution.stop_reason:
        detail["stop-execution-comments"] = execution.stop_reason
    return _event(state, "Pipeline", execution, execution.status, now, detail, resumed)


def stage_event(
    state: PipelineState, execution: Execution, stage: str, status: str, now: float, resumed: bool = False
) -> Event:
    """The state of a stage has changed."""
    return _event(state, "Stage", execution, status, now, {"stage": stage}, resumed)


def action_event(state: PipelineState, execution: Execution, action: ActionRun, now: float) -> Event:
    """The state of an action has changed."""
    kind = action.declaration["actionTypeId"]
    detail: dict[str, Any] = {
        "stage": action.stage,
        "action": action.name,
        "action-execution-id": action.identifier,
        "region": action.declaration.get("region", state.region),
        "type": {key: kind[key] for key in ("owner", "category", "provider", "version")},
    }
    for key, artifacts in (("input-artifacts", action.inputs), ("output-artifacts", action.outputs)):
        if artifacts:
            detail[key] = [_artifact(name, location) for name, location in artifacts.items()]
    if action.status != "InProgress":
        result = {
            "external-execution-id": action.progress.identifier,
            "external-execution-summary": action.error.message if action.error else action.summary,
            "external-execution-url": action.progress.url,
            "error-code": action.error.code if action.error else "",
        }
        detail["execution-result"] = {key: value for key, value in result.items() if value}
    return _event(state, "Action", execution, action.status, now, detail)


def _event(
    state: PipelineState,
    subject: str,
    execution: Execution,
    status: str,
    now: float,
    detail: dict[str, Any],
    resumed: bool = False,
) -> Event:
    common = {
        "pipeline": state.name,
        "execution-id": execution.identifier,
        "start-time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(execution.started)),
        "state": "RESUMED" if resumed else _STATES.get(status, status.upper()),
        "version": execution.version,
        "pipeline-execution-attempt": execution.attempts,
    }
    kind = f"CodePipeline {subject} Execution State Change"
    return Event("aws.codepipeline", kind, state.region, common | detail, (state.arn,), now)


def _artifact(name: str, location: Location) -> dict[str, Any]:
    return {"name": name, "s3location": {"bucket": location.bucket, "key": location.key}}
