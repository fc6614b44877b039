"""CodePipeline's API over pipelines that run: the engine executes them."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from scaffold.engine.pipeline import describe
from scaffold.engine.pipeline.messages import (
    Approve,
    Message,
    Override,
    Refused,
    Retry,
    Rollback,
    SetTransition,
    Start,
    Stop,
    Update,
)
from scaffold.engine.pipeline.runner import Runner
from scaffold.engine.pipeline.state import BEFORE_ENTRY, ON_SUCCESS, Declaration, Execution, PipelineState
from scaffold.local.protocol import ACCOUNT, Call, Document, ServiceError
from scaffold.local.services.codepipeline import CodePipeline, Pipeline
from scaffold.local.services.pipeline_structure import check_rehearsed

_ROOT = f"arn:aws:iam::{ACCOUNT}:root"
_PAGE = 100


class RunningCodePipeline(CodePipeline):
    """Pipelines and their executions.

    Args:
        make_runner: Makes what runs a pipeline.
    """

    def __init__(self, make_runner: Callable[[PipelineState], Runner]) -> None:
        super().__init__()
        self._make_runner = make_runner
        self._runners: dict[str, Runner] = {}

    def stop(self) -> None:
        """End the actions of all pipelines."""
        for runner in list(self._runners.values()):  # Requests go on, in another thread.
            runner.stop()

    def start_for_event(self, pipeline_arn: str, rule_arn: str) -> None:
        """Start an execution for an EventBridge rule, whose target is a pipeline. EventBridge reports no failures."""
        runner = self._runners.get(pipeline_arn)
        if runner:
            with suppress(Refused):
                runner.tell(Start(str(uuid.uuid4()), "CloudWatchEvent", rule_arn))

    def stop_pipeline_execution(self, call: Call) -> Document:
        """Stop an execution, after its actions in progress or at once."""
        given = call.parameters
        identifier = given["pipelineExecutionId"]
        self._tell(call, Stop(identifier, given.get("abandon", False), given.get("reason", "")))
        return {"pipelineExecutionId": identifier}

    def retry_stage_execution(self, call: Call) -> Document:
        """Start a failed stage again."""
        given = call.parameters
        self._tell(call, Retry(given["pipelineExecutionId"], given["stageName"], given["retryMode"]))
        return {"pipelineExecutionId": given["pipelineExecutionId"]}

    def override_stage_condition(self, call: Call) -> Document:
        """Let a condition that blocks an execution count as met."""
        given = call.parameters
        kind = {"BEFORE_ENTRY": BEFORE_ENTRY, "ON_SUCCESS": ON_SUCCESS}[given["conditionType"]]
        self._tell(call, Override(given["pipelineExecutionId"], given["stageName"], kind))
        return {}

    def rollback_stage(self, call: Call) -> Document:
        """Start an execution that runs a stage as an earlier one did."""
        given, identifier = call.parameters, str(uuid.uuid4())
        self._tell(call, Rollback(identifier, given["stageName"], given["targetPipelineExecutionId"], _ROOT))
        return {"pipelineExecutionId": identifier}

    def put_approval_result(self, call: Call) -> Document:
        """Answer a manual approval."""
        given = call.parameters
        approved, summary = given["result"]["status"] == "Approved", given["result"]["summary"]
        stage, action = given["stageName"], given["actionName"]
        self._tell(call, Approve(stage, action, given["token"], approved, summary, call.caller))
        return {"approvedAt": time.time()}

    def get_pipeline_execution(self, call: Call) -> Document:
        """Describe an execution."""
        state = self._runner(call, "pipelineName").state
        identifier = call.parameters["pipelineExecutionId"]
        if identifier not in state.executions:
            raise ServiceError("PipelineExecutionNotFoundException", f"There is no execution {identifier}")
        return {"pipelineExecution": describe.execution_detail(state, state.executions[identifier])}

    def list_pipeline_executions(self, call: Call) -> Document:
        """List a pipeline's executions, the newest first."""
        executions = _newest_first(self._runner(call, "pipelineName").state)
        stage = call.parameters.get("filter", {}).get("succeededInStage", {}).get("stageName")
        if stage:
            executions = [one for one in executions if stage in one.stages and one.stages[stage].status == "Succeeded"]
        return _page("pipelineExecutionSummaries", [describe.execution_summary(one) for one in executions], call)

    def list_action_executions(self, call: Call) -> Document:
        """List the executions of actions, the newest first."""
        latest = (
            call.parameters.get("filter", {}).get("latestInPipelineExecution", {}).get("startTimeRange") == "Latest"
        )
        found = [detail for one in self._wanted(call) for detail in describe.action_details(one, latest)]
        return _page("actionExecutionDetails", found, call)

    def list_rule_executions(self, call: Call) -> Document:
        """List the executions of the rules of stage conditions, the newest first."""
        found = [detail for one in self._wanted(call) for detail in describe.rule_details(one)]
        return _page("ruleExecutionDetails", found, call)

    def _wanted(self, call: Call) -> list[Execution]:
        """The executions that a list is filtered by."""
        state = self._runner(call, "pipelineName").state
        given = call.parameters.get("filter", {})
        identifier = given.get("pipelineExecutionId") or given.get("latestInPipelineExecution", {}).get(
            "pipelineExecutionId"
        )
        if identifier and identifier not in state.executions:
            raise ServiceError("PipelineExecutionNotFoundException", f"There is no execution {identifier}")
        return [one for one in _newest_first(state) if identifier in (None, one.identifier)]

    def _check(self, declaration: Document) -> None:
        super()._check(declaration)
        check_rehearsed(declaration)

    def _created(self, pipeline: Pipeline) -> None:
        state = PipelineState(pipeline.region, ACCOUNT, Declaration(pipeline.declaration))
        self._runners[pipeline.arn] = self._make_runner(state)

    def _updated(self, pipeline: Pipeline) -> None:
        self._runners[pipeline.arn].tell(Update(pipeline.declaration))

    def _deleted(self, pipeline: Pipeline) -> None:
        self._runners.pop(pipeline.arn).stop()

    def _start(self, pipeline: Pipeline, trigger: str, call: Call) -> str:
        given = call.parameters
        runner, identifier = self._runners[pipeline.arn], str(uuid.uuid4())
        if "clientRequestToken" in given:  # The same token names the same execution.
            identifier = str(uuid.uuid5(uuid.NAMESPACE_URL, f"{pipeline.arn}/{given['clientRequestToken']}"))
        if identifier not in runner.state.executions:
            variables = {one["name"]: one["value"] for one in given.get("variables", [])}
            _tell(runner, Start(identifier, trigger, _ROOT, variables, _overrides(given.get("sourceRevisions", []))))
        return identifier

    def _stage_states(self, pipeline: Pipeline) -> list[Document]:
        return describe.pipeline_state(self._runners[pipeline.arn].state)

    def _set_transition(self, call: Call, reason: str | None) -> None:
        self._tell(call, SetTransition(call.parameters["stageName"], call.parameters["transitionType"], reason))

    def _tell(self, call: Call, message: Message) -> None:
        _tell(self._runner(call, "pipelineName"), message)

    def _runner(self, call: Call, parameter: str) -> Runner:
        return self._runners[self._pipeline(call, parameter).arn]


def _tell(runner: Runner, message: Message) -> None:
    try:
        runner.tell(message)
    except Refused as refused:
        raise ServiceError(refused.code, refused.message) from refused


def _overrides(revisions: list[Document]) -> dict[str, str]:
    for revision in revisions:
        if revision["revisionType"] != "COMMIT_ID":
            raise ServiceError("ValidationException", f"not rehearsed: revisions of type {revision['revisionType']}")
    return {revision["actionName"]: revision["revisionValue"] for revision in revisions}


def _newest_first(state: PipelineState) -> list[Execution]:
    return list(state.executions.values())[::-1]


def _page(key: str, found: list[Any], call: Call) -> Document:
    first = int(call.parameters.get("nextToken", 0))
    last = first + min(call.parameters.get("maxResults", _PAGE), _PAGE)
    return {key: found[first:last]} | ({"nextToken": str(last)} if last < len(found) else {})
