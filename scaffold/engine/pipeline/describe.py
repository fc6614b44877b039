"""A pipeline's state in the form of CodePipeline's API."""

from __future__ import annotations

from scaffold.engine.pipeline.jobs import Document, Location
from scaffold.engine.pipeline.requests import latest_run
from scaffold.engine.pipeline.state import (
    BEFORE_ENTRY,
    ON_FAILURE,
    ON_SUCCESS,
    ActionRun,
    ConditionRun,
    Execution,
    PipelineState,
    RuleRun,
    StageRun,
)

_CONDITIONS = {
    BEFORE_ENTRY: "beforeEntryConditionState",
    ON_SUCCESS: "onSuccessConditionState",
    ON_FAILURE: "onFailureConditionState",
}


def pipeline_state(state: PipelineState) -> list[Document]:
    """The `stageStates` of GetPipelineState."""
    return [_stage_state(state, stage) for stage in state.declaration.stages]


def execution_summary(execution: Execution) -> Document:
    """An execution as ListPipelineExecutions lists it."""
    revisions = [
        {
            "actionName": action,
            **_without_empty(
                {
                    "revisionId": one.identifier,
                    "revisionSummary": one.summary,
                    "revisionUrl": one.url,
                }
            ),
        }
        for action, one in execution.revisions.items()
    ]
    described = _common(execution) | {
        "startTime": execution.started,
        "lastUpdateTime": execution.updated,
        "sourceRevisions": revisions,
    }
    if execution.stop_reason:
        described["stopTrigger"] = {"reason": execution.stop_reason}
    return described


def execution_detail(state: PipelineState, execution: Execution) -> Document:
    """An execution as GetPipelineExecution describes it."""
    revisions = []
    for action in execution.actions:
        if action.revision and action.status == "Succeeded":
            revision = action.revision
            described = {"revisionId": revision.identifier, "revisionSummary": revision.summary}
            described = _without_empty(described | {"revisionUrl": revision.url}) | {"created": revision.created}
            revisions += [{"name": name, **described} for name in action.outputs]
    variables = [{"name": name, "resolvedValue": value} for name, value in execution.variables.items()]
    return _common(execution) | {
        "pipelineName": state.name,
        "pipelineVersion": execution.version,
        "artifactRevisions": revisions,
        "variables": variables,
    }


def action_details(execution: Execution, latest: bool = False) -> list[Document]:
    """An execution's actions as ListActionExecutions lists them, the newest first.

    Args:
        latest: Whether to list the newest execution of each action only.
    """
    ordered = sorted(execution.actions, key=lambda action: action.sequence, reverse=True)
    if latest:
        newest = {(one.stage, one.name): one for one in reversed(ordered)}
        ordered = [one for one in ordered if newest[one.stage, one.name] is one]
    return [_action_detail(execution, action) for action in ordered]


def rule_details(execution: Execution) -> list[Document]:
    """The rules of an execution's latest conditions as ListRuleExecutions lists them, the newest first."""
    found = [
        {
            "pipelineExecutionId": execution.identifier,
            "ruleExecutionId": rule.identifier,
            "pipelineVersion": execution.version,
            "stageName": run.stage,
            "ruleName": rule.name,
            "startTime": rule.started,
            "lastUpdateTime": rule.updated,
            "status": rule.status,
            "output": {"executionResult": _without_empty({"externalExecutionSummary": rule.summary})},
        }
        for run in execution.stages.values()
        for condition in run.conditions.values()
        for rule in condition.rules
    ]
    return sorted(found, key=lambda rule: rule["startTime"], reverse=True)


def _common(execution: Execution) -> Document:
    described: Document = {
        "pipelineExecutionId": execution.identifier,
        "status": execution.status,
        "trigger": {"triggerType": execution.trigger, "triggerDetail": execution.trigger_detail},
        "executionMode": execution.declaration.get("executionMode", "SUPERSEDED"),
        "executionType": execution.kind,
    }
    if execution.summary:
        described["statusSummary"] = execution.summary
    if execution.rollback_of:
        described["rollbackMetadata"] = {"rollbackTargetPipelineExecutionId": execution.rollback_of}
    return described


def _stage_state(state: PipelineState, stage: Document) -> Document:
    name = stage["name"]
    waiting = [one for one in state.executions.values() if one.running and one.waiting and one.stage["name"] == name]
    inbound = [_stage_execution(one, "InProgress") for one in sorted(waiting, key=lambda one: one.arrived)]
    described: Document = {
        "stageName": name,
        "inboundExecutions": inbound,
        "inboundTransitionState": transition(state, name, "Inbound"),
        "actionStates": [_action_state(state, name, action["name"]) for action in stage["actions"]],
    }
    if inbound:
        described["inboundExecution"] = inbound[0]
    latest = latest_run(state, name)
    if latest:
        execution, run = latest
        described["latestExecution"] = _stage_execution(execution, run.status)
        if run.retry_trigger:
            described["retryStageMetadata"] = _retries(run)
        for kind, condition in run.conditions.items():
            described[_CONDITIONS[kind]] = _condition_state(condition)
    return described


def transition(state: PipelineState, stage: str, direction: str) -> Document:
    """A transition as GetPipelineState describes it."""
    disabled = state.transitions.get((stage, direction))
    if disabled is None:
        return {"enabled": True}
    return {"enabled": False, "disabledReason": disabled.reason, "lastChangedAt": disabled.at}


def _stage_execution(execution: Execution, status: str) -> Document:
    return {"pipelineExecutionId": execution.identifier, "status": status, "type": execution.kind}


def _retries(run: StageRun) -> Document:
    return {
        "autoStageRetryAttempt": run.automated_retries,
        "manualStageRetryAttempt": run.manual_retries,
        "latestRetryTrigger": run.retry_trigger,
    }


def _condition_state(condition: ConditionRun) -> Document:
    latest = _without_empty({"status": condition.status, "summary": condition.summary})
    state: Document = {"latestExecution": {**latest, "lastStatusChange": condition.started}}
    state["ruleStates"] = [_rule_state(rule) for rule in condition.rules]
    return {"latestExecution": latest, "conditionStates": [state]}


def _rule_state(rule: RuleRun) -> Document:
    described = {"ruleExecutionId": rule.identifier, "status": rule.status, "summary": rule.summary}
    return {
        "ruleName": rule.name,
        "latestExecution": {**_without_empty(described), "lastStatusChange": rule.updated},
    }


def _action_state(state: PipelineState, stage: str, name: str) -> Document:
    described: Document = {"actionName": name}
    found = [
        action
        for execution in state.executions.values()
        for action in execution.actions
        if (action.stage, action.name) == (stage, name)
    ]
    if not found:
        return described
    action = max(found, key=lambda one: one.sequence)
    latest: Document = {
        "actionExecutionId": action.identifier,
        "status": action.status,
        "lastStatusChange": action.updated,
        **_without_empty(
            {
                "summary": action.summary or action.progress.summary,
                "token": action.token if action.status == "InProgress" else "",
                "lastUpdatedBy": action.updated_by,
                "externalExecutionId": action.progress.identifier,
                "externalExecutionUrl": action.progress.url,
                "logStreamARN": action.progress.log_stream,
            }
        ),
    }
    if action.error:
        latest["errorDetails"] = {"code": action.error.code, "message": action.error.message}
    described["latestExecution"] = latest
    if action.revision:
        revision = {"revisionId": action.revision.identifier, "revisionChangeId": action.revision.identifier}
        described["currentRevision"] = revision | {"created": action.revision.created}
    entity = action.configuration.get("ExternalEntityLink") or (action.revision.url if action.revision else "")
    return described | ({"entityUrl": entity} if entity else {})


def _action_detail(execution: Execution, action: ActionRun) -> Document:
    declared = action.declaration
    result: Document = _without_empty(
        {
            "externalExecutionId": action.progress.identifier,
            "externalExecutionSummary": action.summary or action.progress.summary,
            "externalExecutionUrl": action.progress.url,
            "logStreamARN": action.progress.log_stream,
        }
    )
    if action.error:
        result["errorDetails"] = {"code": action.error.code, "message": action.error.message}
    given: Document = {
        "actionTypeId": declared["actionTypeId"],
        "configuration": declared.get("configuration", {}),
        "resolvedConfiguration": action.configuration,
        "inputArtifacts": _artifacts(action.inputs),
    }
    for source, target in (("roleArn", "roleArn"), ("region", "region"), ("namespace", "namespace")):
        if source in declared:
            given[target] = declared[source]
    described = {
        "pipelineExecutionId": execution.identifier,
        "actionExecutionId": action.identifier,
        "pipelineVersion": execution.version,
        "stageName": action.stage,
        "actionName": action.name,
        "startTime": action.started,
        "lastUpdateTime": action.updated,
        "status": action.status,
        "input": given,
    }
    if action.updated_by:
        described["updatedBy"] = action.updated_by
    if action.status != "InProgress":
        outputs = _artifacts(action.outputs) if action.status == "Succeeded" else []
        described["output"] = {
            "outputArtifacts": outputs,
            "executionResult": result,
            "outputVariables": action.variables,
        }
    return described


def _artifacts(locations: dict[str, Location]) -> list[Document]:
    return [
        {"name": name, "s3location": {"bucket": location.bucket, "key": location.key}}
        for name, location in locations.items()
    ]


def _without_empty(document: dict[str, str]) -> Document:
    return {key: value for key, value in document.items() if value}
