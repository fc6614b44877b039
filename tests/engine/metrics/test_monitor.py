"""When alarms are evaluated, and on what."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from scaffold.engine.clock import Clock
from scaffold.engine.metrics.monitor import Alarm, Change, Monitor
from scaffold.engine.metrics.samples import Samples
from scaffold.engine.metrics.store import KEPT, Metric, Metrics

METRIC = Metric.of("us-east-1", "Shop", "Orders", {"Shop": "one"})
SETTINGS: dict[str, Any] = {
    "AlarmName": "orders",
    "Namespace": "Shop",
    "MetricName": "Orders",
    "Dimensions": [{"Name": "Shop", "Value": "one"}],
    "Statistic": "Sum",
    "Period": 60,
    "EvaluationPeriods": 1,
    "ComparisonOperator": "GreaterThanThreshold",
    "Threshold": 5,
    "TreatMissingData": "notBreaching",
    "StateValue": "OK",
    "StateReason": "",
}


class Stored:
    """Alarms in a list."""

    def __init__(self, **changed: Any) -> None:
        self.settings = SETTINGS | changed
        self.changes: list[Change] = []

    def all(self) -> list[Alarm]:
        return [Alarm("us-east-1", dict(self.settings))]

    def apply(self, changes: Iterable[Change]) -> None:
        for change in changes:
            self.changes.append(change)
            self.settings |= {"StateValue": change.state, "StateReason": change.reason}


def states(values: dict[int, float], minutes: range, **changed: Any) -> list[str]:
    """The state at the end of each minute. The values arrive when their minute ends."""
    clock, stored = Clock(), Stored(**changed)
    metrics = Metrics(clock)

    def collect(minute: int) -> None:
        if minute in values:
            metrics.record(METRIC, minute, Samples.of({values[minute]: 1}))

    monitor = Monitor(metrics, clock, collect, stored)
    found = []
    for minute in minutes:
        monitor.minutes_ended(range(minute, minute + 1))
        found.append(str(stored.settings["StateValue"]))
    return found


def test_an_alarm_is_evaluated_at_the_end_of_each_minute() -> None:
    assert states({100: 6}, range(99, 105)) == ["OK", "ALARM", "ALARM", "ALARM", "OK", "OK"]


def test_an_alarm_with_longer_periods_is_evaluated_at_their_ends() -> None:
    found = states({100: 3, 104: 3}, range(99, 121), Period=300)
    assert found == ["OK"] * 5 + ["ALARM"] * 15 + ["OK"] * 2


def test_other_dimensions_and_units_are_other_metrics() -> None:
    assert set(states({100: 6}, range(99, 105), Dimensions=[])) == {"OK"}
    assert set(states({100: 6}, range(99, 105), Unit="Seconds")) == {"OK"}
    assert "ALARM" in states({100: 6}, range(99, 105), Unit="None")


def test_an_alarm_that_is_not_rehearsed_says_so_once() -> None:
    for changed, reason in (
        ({"Period": 10}, "not rehearsed: alarms with a period of 10 seconds"),
        ({"Statistic": None, "ExtendedStatistic": "tm99"}, "not rehearsed: the statistic tm99"),
    ):
        stored, clock = Stored(**changed), Clock()
        Monitor(Metrics(clock), clock, lambda _minute: None, stored).minutes_ended(range(100, 105))
        assert [(change.state, change.reason) for change in stored.changes] == [("INSUFFICIENT_DATA", reason)]


def test_minutes_that_ended_together_are_evaluated_one_after_the_other() -> None:
    stored, clock = Stored(), Clock()
    metrics = Metrics(clock)
    metrics.record(METRIC, 100, Samples.of({6: 1}))
    Monitor(metrics, clock, lambda _minute: None, stored).minutes_ended(range(99, 105))
    assert [change.state for change in stored.changes] == ["ALARM", "OK"]


def test_the_clock_shortens_periods() -> None:
    metrics = Metrics(Clock(60))
    assert [metrics.period_at(moment, 300) for moment in (10.0, 14.9, 15.0)] == [2, 2, 3]
    assert (metrics.start_of(3, 300), metrics.start_of(10)) == (15.0, 10.0)


def test_each_metric_is_kept_for_a_day() -> None:
    metrics = Metrics(Clock())
    for minute in range(KEPT + 5):
        metrics.record(METRIC, minute, Samples.of({1: 1}))
    assert sorted(metrics.series(METRIC, "Sum", 60, range(KEPT + 5)))[0] == 5
