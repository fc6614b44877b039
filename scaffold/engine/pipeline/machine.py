"""The one function that changes a pipeline's state."""

from __future__ import annotations

from scaffold.engine.pipeline import conditions, requests, stages
from scaffold.engine.pipeline.draft import Draft
from scaffold.engine.pipeline.messages import (
    ActionEnded,
    ActionProgressed,
    Approve,
    Effect,
    Message,
    Override,
    Retry,
    Rollback,
    RuleEnded,
    SetTransition,
    Start,
    Stop,
    Update,
)
from scaffold.engine.pipeline.state import (
    BEFORE_ENTRY,
    ON_FAILURE,
    ON_SUCCESS,
    RUNNING,
    ConditionRun,
    Execution,
    PipelineState,
    StageRun,
)


def step(state: PipelineState, message: Message, now: float) -> tuple[PipelineState, list[Effect]]:
    """What a pipeline becomes by what happens to it, and what has to be done.

    Args:
        state: The state before, which stays as it is.
        message: What happens.
        now: Seconds since the epoch.

    Raises:
        Refused: A request that CodePipeline's API refuses.
    """
    draft = Draft(state, now)
    _handle(draft, message)
    while _advance(draft):
        pass
    return draft.state, draft.effects


def _handle(draft: Draft, message: Message) -> None:
    match message:
        case Start():
            requests.start(draft, message)
        case ActionEnded() | ActionProgressed():
            requests.report(draft, message)
        case RuleEnded():
            execution = draft.execution(message.execution)
            conditions.record(draft, execution.stages[message.stage], message.rule, message.outcome)
        case Approve():
            requests.approve(draft, message)
        case Stop():
            requests.stop(draft, message)
        case Retry():
            requests.retry(draft, message)
        case Override():
            requests.override(draft, message)
        case Rollback():
            requests.roll_back(draft, message)
        case SetTransition():
            requests.set_transition(draft, message)
        case Update():
            requests.update(draft, message)


def _advance(draft: Draft) -> bool:
    """Continue whatever can continue, the last stage first, so that an execution leaves before the next one enters."""
    for execution in draft.running():
        run = execution.stages.get(execution.stage["name"])
        if not execution.waiting and run and run.status in RUNNING and _continue(draft, execution, run):
            return True
    return any(_admit(draft, stage["name"]) for stage in reversed(draft.state.declaration.stages))


def _admit(draft: Draft, stage: str) -> bool:
    """Supersede the executions that wait for a stage, and let the next one enter. Returns whether anything changed."""
    waiting = sorted(_waiting_for(draft, stage), key=lambda one: one.arrived)
    mode = draft.state.declaration.get("executionMode", "SUPERSEDED")
    if mode == "SUPERSEDED" and len(waiting) > 1 and draft.state.declaration.position(stage) > 0:
        newest = max(waiting, key=lambda one: list(draft.state.executions).index(one.identifier))
        for execution in waiting:
            if execution is not newest:
                draft.set_status(execution, "Superseded", f"Superseded by {newest.identifier}")
                execution.waiting = False
        return True
    if not waiting or draft.occupant(stage) or _closed(draft.state, stage):
        return False
    stages.enter(draft, waiting[0])
    return True


def _waiting_for(draft: Draft, stage: str) -> list[Execution]:
    """The executions that wait for a stage. One that stops does not enter another stage."""
    running = [one for one in draft.running() if one.waiting and one.status == "InProgress"]
    return [one for one in running if one.stage["name"] == stage]


def _closed(state: PipelineState, stage: str) -> bool:
    """Whether the transition into a stage is disabled, by itself or by that out of the stage before."""
    position = state.declaration.position(stage)
    before = state.declaration.stages[position - 1]["name"] if position else ""
    return (stage, "Inbound") in state.transitions or (before, "Outbound") in state.transitions


def _continue(draft: Draft, execution: Execution, run: StageRun) -> bool:
    """Continue in a stage. Returns whether anything changed."""
    if run.checking:
        evaluated = conditions.verdict(run)
        if evaluated is None:
            return False
        kind, run.checking = run.checking, ""
        _conclude(draft, execution, run, kind, evaluated)
        return True
    before = len(execution.actions), len(draft.effects)
    ended = stages.continue_actions(draft, execution, run)
    if ended == "Failed":
        _fail(draft, execution, run)
    elif ended == "Stopped" or (ended and execution.status == "Stopping"):
        _stop(draft, execution, run)
    elif ended == "Succeeded" and not stages.check_success(draft, execution, run):
        _complete(draft, execution, run, "Succeeded")
    return ended is not None or before != (len(execution.actions), len(draft.effects))


def _conclude(draft: Draft, execution: Execution, run: StageRun, kind: str, evaluated: ConditionRun) -> None:
    """Do what a condition asks for, once its rules are evaluated. One that could not be evaluated fails the stage."""
    condition = conditions.declared(execution.stage, kind) or {}
    result = condition.get("result", "FAIL") if evaluated.status == "Failed" else ""
    if execution.status == "Stopping" and kind != ON_FAILURE:
        _stop(draft, execution, run)
    elif evaluated.status == "Errored":
        _end_failed(draft, execution, run, rolls_back=False, summary=evaluated.summary)
    elif kind == ON_FAILURE:
        _end_failed(draft, execution, run, rolls_back=result == "ROLLBACK")
    elif kind == BEFORE_ENTRY and result == "SKIP":
        _complete(draft, execution, run, "Skipped")
    elif evaluated.status == "Failed":
        _end_failed(draft, execution, run, rolls_back=kind == ON_SUCCESS and result == "ROLLBACK")
    elif kind == ON_SUCCESS:
        _complete(draft, execution, run, "Succeeded")


def _complete(draft: Draft, execution: Execution, run: StageRun, status: str) -> None:
    """End a stage, and send the execution to the next one."""
    draft.set_stage_status(execution, run, status)
    last = execution.position == len(execution.declaration.stages) - 1
    if last or execution.kind == "ROLLBACK":
        draft.set_status(execution, "Succeeded")
    else:
        execution.position += 1
        execution.waiting, execution.arrived = True, draft.next()


def _stop(draft: Draft, execution: Execution, run: StageRun) -> None:
    draft.set_stage_status(execution, run, "Stopped")
    draft.set_status(execution, "Stopped", execution.stop_reason)


def _fail(draft: Draft, execution: Execution, run: StageRun) -> None:
    """Do what a stage declares for the failure of its actions."""
    declared = execution.stage.get(ON_FAILURE, {})
    stopping = execution.status == "Stopping"
    if declared.get("result") == "RETRY" and not run.automated_retries and not stopping:
        draft.set_stage_status(execution, run, "Failed")
        run.automated_retries, run.retry_trigger = 1, "AutomatedStageRetry"
        mode = declared.get("retryConfiguration", {}).get("retryMode", "ALL_ACTIONS")
        stages.restart(draft, execution, run, mode)
    elif stopping or execution.kind == "ROLLBACK" or not conditions.begin(draft, execution, run, ON_FAILURE):
        _end_failed(draft, execution, run, rolls_back=declared.get("result") == "ROLLBACK" and not stopping)


def _end_failed(draft: Draft, execution: Execution, run: StageRun, rolls_back: bool, summary: str = "") -> None:
    """End a stage and its execution as failed, and roll the stage back to its last successful execution."""
    draft.set_stage_status(execution, run, "Failed")
    draft.set_status(execution, "Failed", summary)
    target = requests.last_success(draft.state, run.stage) if rolls_back and execution.kind != "ROLLBACK" else None
    if target:
        identifier = execution.derive("rollback", run.sequence)
        requests.begin_rollback(draft, identifier, run.stage, target, "AutomatedRollback", execution.identifier)
