"""CloudWatchAlarm rules, with the answers of DescribeAlarms given."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import Any

import pytest
from botocore.exceptions import ClientError

from scaffold.engine.clock import Clock
from scaffold.engine.executors.cloudwatch_alarm import CloudWatchAlarm
from scaffold.engine.pipeline.jobs import Failed, Outcome, Succeeded
from tests.engine.executors.jobs import job


@dataclass(frozen=True)
class CountingClock(Clock):
    """A clock in which all waiting is over at once."""

    waits: list[float] = field(default_factory=list)

    def wait(self, seconds: float, stopped: threading.Event) -> bool:
        self.waits.append(seconds)
        return stopped.is_set()


class CloudWatch:
    """Answers with one state after the other, the last one again and again."""

    def __init__(self, *states: str) -> None:
        self.states = list(states)

    def describe_alarms(self, AlarmNames: list[str], AlarmTypes: list[str]) -> dict[str, Any]:  # noqa: N803
        assert (AlarmNames, AlarmTypes) == (["errors"], ["MetricAlarm", "CompositeAlarm"])
        if not self.states:
            return {"MetricAlarms": [], "CompositeAlarms": []}
        state = self.states.pop(0) if len(self.states) > 1 else self.states[0]
        if state == "denied":
            raise ClientError({"Error": {"Code": "AccessDenied", "Message": "not authorized"}}, "DescribeAlarms")
        return {"MetricAlarms": [{"StateValue": state}], "CompositeAlarms": []}


def evaluate(states: tuple[str, ...], condition: str, **given: str) -> tuple[Outcome, float]:
    """The outcome of a rule, and how long it has waited."""
    clock, cloudwatch = CountingClock(), CloudWatch(*states)
    made, _ = job({"AlarmName": "errors", **given}, condition=condition)
    outcome = CloudWatchAlarm(lambda _service, _region: cloudwatch, clock)(made)  # type: ignore[arg-type]
    return outcome, sum(clock.waits)


@pytest.mark.parametrize(
    ("states", "minutes", "succeeds", "waited"),
    [
        (("OK",), "5", True, 0),
        (("INSUFFICIENT_DATA",), "5", True, 0),
        (("ALARM", "ALARM", "OK"), "5", True, 30),
        (("ALARM",), "5", False, 300),
        (("ALARM", "OK"), "0", False, 0),
    ],
)
def test_before_the_entry_of_a_stage_an_alarm_may_end(
    states: tuple[str, ...], minutes: str, succeeds: bool, waited: float
) -> None:
    outcome, passed = evaluate(states, "beforeEntry", WaitTime=minutes)
    assert (isinstance(outcome, Succeeded), passed) == (succeeds, waited)


@pytest.mark.parametrize("condition", ["onSuccess", "onFailure"])
@pytest.mark.parametrize(
    ("states", "minutes", "succeeds", "waited"),
    [
        (("OK",), "5", True, 300),
        (("OK", "OK", "ALARM"), "5", False, 30),
        (("ALARM",), "5", False, 0),
        (("OK", "ALARM"), "0", True, 0),
    ],
)
def test_after_a_stage_an_alarm_is_watched(
    condition: str, states: tuple[str, ...], minutes: str, succeeds: bool, waited: float
) -> None:
    outcome, passed = evaluate(states, condition, WaitTime=minutes)
    assert (isinstance(outcome, Succeeded), passed) == (succeeds, waited)


def test_the_rule_names_the_states_that_fail_it() -> None:
    named = {"AlarmStates": "ALARM, INSUFFICIENT_DATA"}
    outcome, _ = evaluate(("INSUFFICIENT_DATA",), "onSuccess", **named)
    assert outcome == Failed("RuleFailed", "The alarm errors is in the state INSUFFICIENT_DATA")


@pytest.mark.parametrize(
    ("states", "given", "message"),
    [
        ((), {}, "There is no alarm 'errors'"),
        (("OK",), {"AlarmStates": "RED"}, "'RED' is not a state of an alarm"),
        (("OK",), {"WaitTime": "soon"}, "The WaitTime 'soon' is not a number of minutes"),
        (("denied",), {}, "not authorized"),
    ],
)
def test_what_a_rule_cannot_watch_fails_it(states: tuple[str, ...], given: dict[str, str], message: str) -> None:
    outcome, _ = evaluate(states, "onSuccess", **given)
    assert isinstance(outcome, Failed)
    assert outcome.message == message


def test_a_rule_whose_end_does_not_matter_any_more_ends() -> None:
    ended = threading.Event()
    ended.set()
    made, _ = job({"AlarmName": "errors", "WaitTime": "5"}, ended, condition="onSuccess")
    clock, cloudwatch = CountingClock(), CloudWatch("OK")
    CloudWatchAlarm(lambda _service, _region: cloudwatch, clock)(made)  # type: ignore[arg-type]
    assert len(clock.waits) == 1
