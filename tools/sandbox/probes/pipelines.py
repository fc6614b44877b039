"""Pipelines: their executions, states, events and updates, observed in the small pipeline."""

from __future__ import annotations

from typing import Any

import botocore.session

from .. import line
from ..registry import probe
from ..releases import REASON, Releases
from ..sandbox import Sandbox
from ..verdicts import Unavailable, Verdict, decided, proved, refuted, undecided


def _after(sandbox: Sandbox, milestone: str) -> Releases:
    releases: Releases = sandbox.after("releases", milestone)
    return releases


@probe("failed-event-after-retry", scenario="releases")
def failed_event_after_retry(sandbox: Sandbox) -> Verdict:
    """A stage that fails, and succeeds in its automatic retry."""
    releases = _after(sandbox, "waiting")

    def told() -> list[str]:
        states = releases.stage_events(line.CHECK, "first")
        return states if "SUCCEEDED" in states else []

    states = sandbox.wait(told, "the event of the stage's success", 120)
    return decided("FAILED" not in states, f"the events of the stage that was retried are {', '.join(states)}")


@probe("attempts-of-action", scenario="releases")
def attempts_of_action(sandbox: Sandbox) -> Verdict:
    """The action that was retried."""
    attempts = _after(sandbox, "waiting").attempts(line.CHECK, "first")
    evidence = f"ListActionExecutions has the attempts {', '.join(attempts)}"
    return decided(attempts == ["Failed", "Succeeded"], evidence)


@probe("variable-check", scenario="releases")
def variable_check(sandbox: Sandbox) -> Verdict:
    """A stage that is skipped unless a variable is not `no`, with the values `maybe` and `no`."""
    states = _after(sandbox, "updated").states
    entered = states["waiting"][line.APPROVE]["latestExecution"]["status"]
    attempts = _after(sandbox, "updated").attempts(line.APPROVE, "updating")
    evidence = f"with `maybe` the stage is {entered}, with `no` its actions ran {len(attempts)} times"
    return decided(entered == "InProgress" and not attempts, evidence)


@probe("inbound-executions", scenario="releases")
def inbound_executions(sandbox: Sandbox) -> Verdict:
    """An execution that waits for approval, and one that waits to enter the same stage."""
    releases = _after(sandbox, "waiting")
    stage = releases.states["queued"][line.APPROVE]
    latest = stage["latestExecution"]
    inbound = [one["pipelineExecutionId"] for one in stage.get("inboundExecutions", [])]
    names = {identifier: name for name, identifier in releases.executions.items()}
    waiting = [names.get(one, one) for one in inbound]
    evidence = f"the {names[latest['pipelineExecutionId']]} execution is {latest['status']}, inbound: {waiting}"
    first, second = releases.executions["first"], releases.executions["second"]
    holds = (latest["pipelineExecutionId"], latest["status"], inbound) == (first, "InProgress", [second])
    return decided(holds, evidence)


@probe("approval-before-stop", scenario="releases")
def approval_before_stop(sandbox: Sandbox) -> Verdict:
    """How long an approval could come in between, and whether a call excludes it."""
    releases = _after(sandbox, "stopped")
    model = botocore.session.get_session().get_service_model("codepipeline")
    shape = model.operation_model("StopPipelineExecution").input_shape
    members = sorted(shape.members) if shape else []
    if any("stage" in one.lower() for one in members):
        return decided(False, f"StopPipelineExecution takes {', '.join(members)}")
    return undecided(
        f"no run can exclude the race: between the two calls were {releases.seconds_to_stop:.2f} seconds,"
        f" and StopPipelineExecution takes {', '.join(members)} only"
    )


@probe("stopping-event", scenario="releases")
def stopping_event(sandbox: Sandbox) -> Verdict:
    """The events of an execution that was abandoned."""
    releases = _after(sandbox, "stopped")

    def told() -> list[dict[str, Any]]:
        events = releases.pipeline_events("first")
        return events if any(one["state"] == "STOPPED" for one in events) else []

    events = sandbox.wait(told, "the event of the stop", 120)
    states = [one["state"] for one in events]
    reasons = [one.get("stop-execution-comments", "") for one in events if one["state"] == "STOPPING"]
    evidence = f"the states are {', '.join(states)}, the reason in STOPPING is {reasons}"
    return decided(REASON in reasons, evidence)


@probe("update-without-create-stack", scenario="releases")
def update_without_create_stack(sandbox: Sandbox) -> Verdict:
    """The update of a stack by a pipeline whose role may not create one."""
    releases = _after(sandbox, "released")
    attempts = releases.attempts(line.DEPLOY, "second")
    return decided(
        attempts == ["Succeeded"], f"without cloudformation:CreateStack, the action has {', '.join(attempts)}"
    )


@probe("empty-parameter", scenario="releases")
def empty_parameter(sandbox: Sandbox) -> Verdict:
    """A parameter without a default, to which the configuration file gives an empty value."""
    outputs = _after(sandbox, "released").target.outputs
    return decided(outputs == {"Empty": "empty:"}, f"the outputs of the stack are {outputs}")


@probe("self-update-restarts", scenario="releases")
def self_update_restarts(sandbox: Sandbox) -> Verdict:
    """An execution that changes its own pipeline."""
    releases = _after(sandbox, "updated")
    status = releases.status("updating")
    evidence = f"the execution is {status}, and another one {'followed' if releases.restarted else 'did not follow'}"
    return decided(status in ("Cancelled", "Stopped") and releases.restarted, evidence)


@probe("cancelled-event", scenario="releases")
def cancelled_event(sandbox: Sandbox) -> Verdict:
    """The events of the stage that changed the pipeline."""
    releases = _after(sandbox, "updated")
    states: list[str] = []

    def told() -> bool:
        states[:] = releases.stage_events(line.UPDATE, "updating")
        return "CANCELED" in states

    try:
        sandbox.wait(told, "the event of the cancellation", 120)
    except Unavailable:
        return refuted(f"the events of the stage are {', '.join(states)}")
    return proved(f"the events of the stage are {', '.join(states)}")


@probe("skipped-stage", scenario="releases")
def skipped_stage(sandbox: Sandbox) -> Verdict:
    """The latest execution of a stage, after another one has skipped it."""
    releases = _after(sandbox, "updated")
    latest = releases.states["skipped"][line.APPROVE].get("latestExecution", {})
    names = {identifier: name for name, identifier in releases.executions.items()}
    execution = names.get(latest.get("pipelineExecutionId", ""), "none")
    # The one that is restarted skips it too.
    evidence = (
        f"the latest execution of the stage is the one that is {execution}, with the status {latest.get('status')}"
    )
    return decided(execution in ("updating", "restarted"), evidence)


@probe("rollback-when-disabled", scenario="releases")
def rollback_when_disabled(sandbox: Sandbox) -> Verdict:
    """A rollback of a stage into which the transition is disabled."""
    releases = _after(sandbox, "rolled back")
    if releases.refusal_of_rollback:
        return refuted(releases.refusal_of_rollback)
    stage = releases.states["rolled back"][line.DEPLOY]
    latest = stage.get("latestExecution", {})
    started = latest.get("pipelineExecutionId") == releases.executions["rollback"]
    enabled = stage["inboundTransitionState"]["enabled"]
    evidence = f"the rollback is {latest['status'] if started else 'waiting'}, the transition enabled: {enabled}"
    return decided(started and not enabled, evidence)


@probe("rollback-event", scenario="releases")
def rollback_event(sandbox: Sandbox) -> Verdict:
    """The event of the start of a rollback."""
    releases = _after(sandbox, "rolled back")
    if releases.refusal_of_rollback:
        return undecided(releases.refusal_of_rollback)

    def told() -> list[dict[str, Any]]:
        return [one for one in releases.pipeline_events("rollback") if one["state"] == "STARTED"]

    trigger = sandbox.wait(told, "the event of the rollback", 120)[0].get("execution-trigger", {})
    return decided(trigger.get("trigger-type") == "ManualRollback", f"the trigger is {trigger}")


@probe("parameter-only-update", scenario="releases")
def parameter_only_update(sandbox: Sandbox) -> Verdict:
    """An update of the pipeline's stack that changes a parameter, and the output that shows it."""
    releases = _after(sandbox, "rolled back")
    status, started = releases.change_digest()
    shown = releases.stack.outputs["Digest"]
    evidence = f"{status}, the output is {shown!r}, and {len(started)} executions have started"
    return decided(status == "UPDATE_COMPLETE" and shown == "another" and not started, evidence)
