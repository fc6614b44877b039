"""What CodePipeline's API asks of a pipeline, with the reasons for which it refuses."""

from __future__ import annotations

import copy

from scaffold.engine.pipeline import stages
from scaffold.engine.pipeline.draft import Draft
from scaffold.engine.pipeline.jobs import Document, Failed, Succeeded
from scaffold.engine.pipeline.messages import (
    ActionEnded,
    ActionProgressed,
    Approve,
    Override,
    Refused,
    Retry,
    Rollback,
    SetTransition,
    Start,
    Stop,
    Update,
)
from scaffold.engine.pipeline.state import Declaration, Disabled, Execution, PipelineState, StageRun

#: The quota of executions in progress, in the mode QUEUED.
_MOST_RUNNING = 50


def start(draft: Draft, message: Start) -> None:
    """Start an execution, which waits for the first stage."""
    declaration = draft.state.declaration
    if len(draft.running()) >= _MOST_RUNNING:
        text = f"The pipeline has reached the limit of {_MOST_RUNNING} executions in progress"
        raise Refused("ConcurrentPipelineExecutionsLimitExceededException", text)
    variables = {one["name"]: one.get("defaultValue", "") for one in declaration.get("variables", [])}
    for name in message.variables:
        if name not in variables:
            raise Refused("ValidationException", f"The pipeline has no variable {name}")
    made = _new(draft, message.identifier, message.trigger, message.trigger_detail)
    made.variables, made.overrides = variables | message.variables, dict(message.overrides)
    draft.set_status(made, "InProgress")
    if declaration.get("executionMode") == "PARALLEL":
        made.waiting = False
        draft.set_status(made, "Failed", "not rehearsed: the execution mode PARALLEL")


def report(draft: Draft, message: ActionEnded | ActionProgressed) -> None:
    """Record what an executor reports. A report on an action that was abandoned changes nothing."""
    execution = draft.execution(message.execution)
    action = execution.action(message.action)
    if action is None:
        return
    if isinstance(message, ActionEnded):
        stages.end_action(draft, execution, action, message.outcome)
    else:
        action.progress, action.updated = message.progress, draft.now


def approve(draft: Draft, message: Approve) -> None:
    """Answer a manual approval."""
    declared = _stage(draft, message.stage)
    if message.action not in [action["name"] for action in declared["actions"]]:
        text = f"The stage {message.stage} has no action {message.action}"
        raise Refused("ActionNotFoundException", text)
    for execution in list(draft.state.executions.values()):
        for action in execution.actions:
            if (action.stage, action.name, action.token) == (message.stage, message.action, message.token):
                return _answer(draft, execution.identifier, action.identifier, message)
    raise Refused("InvalidApprovalTokenException", "The approval token is not that of the approval that waits")


def _answer(draft: Draft, execution_id: str, action_id: str, message: Approve) -> None:
    execution = draft.execution(execution_id)
    action = execution.action(action_id)
    if action is None or action.status != "InProgress":
        text = "The approval action has already been approved or rejected"
        raise Refused("ApprovalAlreadyCompletedException", text)
    rejected = Failed("Rejected", message.summary or "The approval was rejected", message.summary, message.by)
    outcome = Succeeded(message.summary, updated_by=message.by) if message.approved else rejected
    stages.end_action(draft, execution, action, outcome)


def stop(draft: Draft, message: Stop) -> None:
    """Stop an execution: after the actions in progress, or at once, abandoning them."""
    execution = draft.execution(message.execution)
    if not execution.running:
        text = f"The execution is not in progress: its status is {execution.status}"
        raise Refused("PipelineExecutionNotStoppableException", text)
    if execution.status == "Stopping" and not message.abandon:
        raise Refused("DuplicatedStopRequestException", "The pipeline execution is already in the Stopping state")
    execution.stop_reason = message.reason
    if execution.status != "Stopping":
        draft.set_status(execution, "Stopping", message.reason)
    if message.abandon or execution.waiting:
        draft.end_work(execution, "Stopped")
        return draft.set_status(execution, "Stopped", message.reason)
    return draft.set_stage_status(execution, execution.stages[execution.stage["name"]], "Stopping")


def retry(draft: Draft, message: Retry) -> None:
    """Start a failed or stopped stage again, in the same execution."""
    _stage(draft, message.stage)
    execution = draft.execution(message.execution)
    run = execution.stages.get(message.stage)
    latest = latest_run(draft.state, message.stage)
    if run is None or latest is None or latest[0].identifier != execution.identifier:
        text = "The stage has run in a later execution of the pipeline"
        raise Refused("NotLatestPipelineExecutionException", text)
    if draft.occupant(message.stage):
        text = (
            "Your request cannot be handled because the pipeline is busy handling ongoing activities. Try again later."
        )
        raise Refused("ConflictException", text)
    changed = execution.version != draft.state.declaration["version"]
    if run.status not in ("Failed", "Stopped") or execution.running or changed:
        reason = "the pipeline structure has changed" if changed else f"its status is {run.status}"
        raise Refused("StageNotRetryableException", f"The stage cannot be retried: {reason}")
    run.manual_retries, run.retry_trigger = run.manual_retries + 1, "ManualStageRetry"
    execution.attempts += 1
    draft.set_status(execution, "InProgress", resumed=True)
    stages.restart(draft, execution, run, message.mode)


def override(draft: Draft, message: Override) -> None:
    """Let a condition count as met: one that is evaluated, or that has failed its stage."""
    _stage(draft, message.stage)
    execution = draft.execution(message.execution)
    latest = latest_run(draft.state, message.stage)
    if latest is None or latest[0].identifier != execution.identifier:
        text = "The stage has run in a later execution of the pipeline"
        raise Refused("NotLatestPipelineExecutionException", text)
    run = execution.stages[message.stage]
    condition = run.conditions.get(message.kind)
    blocks = condition and (run.checking == message.kind or (condition.status == "Failed" and run.status == "Failed"))
    if not condition or not blocks or execution.version != draft.state.declaration["version"]:
        raise Refused("ConditionNotOverridableException", "Unable to override because the condition does not block")
    if not run.checking and draft.occupant(message.stage):
        text = "Your request cannot be handled because the pipeline is busy handling ongoing activities."
        raise Refused("ConflictException", text)
    draft.abandon_rules(condition)
    condition.status, run.checking = "Overridden", ""
    if not execution.running:
        draft.set_status(execution, "InProgress", resumed=True)
        draft.set_stage_status(execution, run, "InProgress", resumed=True)


def roll_back(draft: Draft, message: Rollback) -> None:
    """Run a stage again as an earlier execution ran it."""
    _stage(draft, message.stage)
    if message.target not in draft.state.executions:
        text = f"There is no pipeline execution with ID '{message.target}'"
        raise Refused("PipelineExecutionNotFoundException", text)
    target = draft.state.executions[message.target]
    reason = _rollback_problem(draft, message.stage, target)
    if reason:
        raise Refused("UnableToRollbackStageException", f"Unable to roll back the stage {message.stage}: {reason}")
    begin_rollback(draft, message.identifier, message.stage, target, "ManualRollback", message.trigger_detail)


def begin_rollback(
    draft: Draft, identifier: str, stage: str, target: Execution, trigger: str, trigger_detail: str
) -> None:
    """Start an execution of the type ROLLBACK in a stage, with the artifacts and variables of an earlier one."""
    made = _new(draft, identifier, trigger, trigger_detail)
    made.kind, made.rollback_of, made.position = "ROLLBACK", target.identifier, made.declaration.position(stage)
    for name in ("variables", "namespaces", "artifacts", "commits", "revisions"):
        setattr(made, name, copy.deepcopy(getattr(target, name)))
    draft.set_status(made, "InProgress")
    stages.enter(draft, made)


def set_transition(draft: Draft, message: SetTransition) -> None:
    """Enable or disable a transition."""
    _stage(draft, message.stage)
    draft.state.transitions.pop((message.stage, message.direction), None)
    if message.reason is not None:
        draft.state.transitions[message.stage, message.direction] = Disabled(message.reason, draft.now)


def update(draft: Draft, message: Update) -> None:
    """Replace the structure. Executions in progress are cancelled: they were started with the old one."""
    for execution in draft.running():
        draft.end_work(execution, "Cancelled")
        draft.set_status(execution, "Cancelled", "The pipeline was updated")
    draft.state.declaration = Declaration(message.declaration)
    names = [stage["name"] for stage in message.declaration["stages"]]
    transitions = draft.state.transitions
    draft.state.transitions = {key: why for key, why in transitions.items() if key[0] in names}


def last_success(state: PipelineState, stage: str) -> Execution | None:
    """The latest execution that a stage can be rolled back to: of the current structure, and no rollback itself."""
    found = [
        (execution.stages[stage].sequence, execution.identifier)
        for execution in state.executions.values()
        if execution.kind == "STANDARD"
        and execution.version == state.declaration["version"]
        and stage in execution.stages
        and execution.stages[stage].status == "Succeeded"
    ]
    return state.executions[max(found)[1]] if found else None


def latest_run(state: PipelineState, stage: str) -> tuple[Execution, StageRun] | None:
    """The execution that entered a stage last, and its execution there."""
    found = [(one, one.stages[stage]) for one in state.executions.values() if stage in one.stages]
    return max(found, key=lambda pair: pair[1].sequence) if found else None


def _rollback_problem(draft: Draft, stage: str, target: Execution) -> str:
    if draft.state.declaration.position(stage) == 0:
        return "a stage with source actions cannot be rolled back"
    if target.version != draft.state.declaration["version"]:
        return "the pipeline structure has changed since the target execution"
    if target.kind == "ROLLBACK":
        return "the target execution is a rollback itself"
    if stage not in target.stages or target.stages[stage].status != "Succeeded":
        return "the target execution has not succeeded in the stage"
    if draft.occupant(stage):
        return "the stage is in progress"
    latest = latest_run(draft.state, stage)
    if latest and latest[1].status == "Skipped":
        return "the stage was skipped by its latest execution"
    return ""


def _new(draft: Draft, identifier: str, trigger: str, trigger_detail: str) -> Execution:
    made = Execution(identifier, draft.state.declaration, trigger, trigger_detail, draft.now, draft.now, draft.next())
    draft.add(made)
    return made


def _stage(draft: Draft, name: str) -> Document:
    found = draft.state.declaration.stage(name)
    if found is None:
        raise Refused("StageNotFoundException", f"There is no stage {name}")
    return found
