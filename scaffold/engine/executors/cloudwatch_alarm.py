"""CloudWatchAlarm rules: watch an alarm for a time."""

from __future__ import annotations

from botocore.exceptions import ClientError

from scaffold.engine.clock import Clock
from scaffold.engine.executors.clients import Clients, alarms_of, message_of
from scaffold.engine.pipeline.jobs import Failed, Job, Outcome, Succeeded

_STATES = ("ALARM", "OK", "INSUFFICIENT_DATA")
_LOOKS_EACH_SECONDS = 15


class CloudWatchAlarm:
    """Fails in the states that the rule names.

    Before the entry of a stage it waits for another state, for at most the rule's time. Otherwise it watches the alarm
    for that time.

    Args:
        clients: The AWS clients.
        clock: Passes the time.
    """

    def __init__(self, clients: Clients, clock: Clock) -> None:
        self._clients = clients
        self._clock = clock

    def __call__(self, job: Job) -> Outcome:
        """Evaluate a rule."""
        given = job.assignment.configuration
        name, minutes = given.get("AlarmName", ""), given.get("WaitTime", "0")
        states = [state.strip() for state in given.get("AlarmStates", "ALARM").split(",")]
        if unknown := [state for state in states if state not in _STATES]:
            return Failed("RuleConfigurationError", f"{unknown[0]!r} is not a state of an alarm")
        if not minutes.isdecimal():
            return Failed("RuleConfigurationError", f"The WaitTime {minutes!r} is not a number of minutes")
        try:
            return self._watch(job, name, states, int(minutes) * 60)
        except ClientError as error:
            return Failed("RuleFailed", message_of(error))

    def _watch(self, job: Job, name: str, states: list[str], seconds: int) -> Outcome:
        waits_for_end = job.assignment.condition == "beforeEntry"
        left = seconds
        while True:
            state = self._state(job.assignment.region, name)
            if state is None:
                return Failed("RuleConfigurationError", f"There is no alarm {name!r}")
            failing = state in states
            if failing != waits_for_end or left == 0:
                break
            step = min(left, _LOOKS_EACH_SECONDS)
            left -= step
            if self._clock.wait(step, job.ended):
                break
        text = f"The alarm {name} is in the state {state}"
        return Failed("RuleFailed", text) if failing else Succeeded(text)

    def _state(self, region: str, name: str) -> str | None:
        alarms = alarms_of(self._clients("cloudwatch", region), [name])
        return str(alarms[0]["StateValue"]) if alarms else None
