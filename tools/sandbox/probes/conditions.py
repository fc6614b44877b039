"""Conditions of stages, observed in the small pipeline that has them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from ..conditions import Conditions
from ..registry import probe
from ..sandbox import Sandbox
from ..verdicts import Verdict, decided, undecided

# An hour is the limit of an action that has none of its own.
_LONGER = timedelta(minutes=65)


def _after(sandbox: Sandbox, milestone: str) -> Conditions:
    conditions: Conditions = sandbox.after("conditions", milestone)
    return conditions


@probe("wait-time-on-success", scenario="conditions")
def wait_time_on_success(sandbox: Sandbox) -> Verdict:
    """The time from the end of a stage's actions to that of its condition on success, with a WaitTime of a minute."""
    found = _after(sandbox, "succeeded")
    status, seconds = found.status_after_success, found.seconds_after_success
    evidence = f"the condition is {status} {seconds:.0f} seconds after the action"
    if sandbox.account.local:
        return undecided(f"local AWS shortens the time: {evidence}")
    return decided(status == "Succeeded" and seconds >= 50, evidence)


@probe("closed-window-state", scenario="conditions")
def closed_window_state(sandbox: Sandbox) -> Verdict:
    """The stage of an execution that waits for its window."""
    found = _after(sandbox, "waiting")
    latest = found.closed.get("latestExecution", {})
    condition = found.closed.get("beforeEntryConditionState", {}).get("latestExecution", {}).get("status")
    inside = latest.get("pipelineExecutionId") == found.executions["first"]
    evidence = f"the execution is in the stage: {inside}, which is {latest.get('status')}, its condition {condition}"
    return decided(inside and (latest["status"], condition) == ("InProgress", "InProgress"), evidence)


@probe("rollback-before-entry", scenario="conditions")
def rollback_before_entry(sandbox: Sandbox) -> Verdict:
    """A rollback of a stage whose condition before entry is not met."""
    found = _after(sandbox, "rolled back")
    if found.refusal_of_rollback:
        return undecided(f"the rollback is refused: {found.refusal_of_rollback}")
    return decided(found.rollback_entered, f"the actions of the rollback have started: {found.rollback_entered}")


@probe("retry-before-entry", scenario="conditions")
def retry_before_entry(sandbox: Sandbox) -> Verdict:
    """A retry of a stage whose condition before entry has failed, and is still not met."""
    found = _after(sandbox, "retried")
    return decided(not found.retry_entered, f"the actions of the retried stage have started: {found.retry_entered}")


@probe("rule-timeout", scenario="conditions")
def rule_timeout(sandbox: Sandbox) -> Verdict:
    """An execution that has waited for its window for more than an hour, while the other probes ran."""
    found = _after(sandbox, "waiting")
    left = found.waits_since + _LONGER - datetime.now(UTC)
    sandbox.settle(max(left.total_seconds(), 0))
    waited, status = datetime.now(UTC) - found.waits_since, found.status("first")
    evidence = f"after {waited.total_seconds() / 60:.0f} minutes before the window, the execution is {status}"
    if sandbox.account.local:
        return undecided(f"local AWS shortens the time: {evidence}")
    return decided(status == "InProgress", evidence)
