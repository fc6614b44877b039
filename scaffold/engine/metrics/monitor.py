"""Collects metrics and evaluates alarms at the end of each minute."""

from __future__ import annotations

import sys
import threading
import traceback
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from scaffold.engine.clock import Clock
from scaffold.engine.metrics.alarms import INSUFFICIENT_DATA, Settings, Verdict, assess, period_of
from scaffold.engine.metrics.expressions import NotRehearsed
from scaffold.engine.metrics.metric_math import Series
from scaffold.engine.metrics.reasons import reason, reason_data
from scaffold.engine.metrics.store import MINUTE, Metric, Metrics

# A machine that was asleep does not evaluate the minutes of its sleep.
_MOST_MINUTES = 10
# At the highest speeds, minutes are shorter.
_SHORTEST_PAUSE = 0.05


@dataclass(frozen=True)
class Alarm:
    """An alarm as it is stored, with its state."""

    region: str
    settings: Settings

    @property
    def name(self) -> str:
        """Its name."""
        return str(self.settings["AlarmName"])

    @property
    def state(self) -> str:
        """Its state before the evaluation."""
        return str(self.settings["StateValue"])


@dataclass(frozen=True)
class Change:
    """The new state of an alarm.

    Attributes:
        settings: What was evaluated: an alarm that was deleted or changed meanwhile keeps the state that it has.
        data: The reason for programs, as a JSON document; empty without any.
    """

    region: str
    name: str
    settings: Settings
    state: str
    reason: str
    data: str


class Alarms(Protocol):
    """Where alarms are stored."""

    def all(self) -> list[Alarm]:
        """The alarms of all regions."""

    def apply(self, changes: Iterable[Change]) -> None:
        """Change states."""


class Monitor:
    """Does its work in a thread, which sleeps until the next minute ends.

    Args:
        collect: Publishes what happened up to a minute, that one included.
    """

    def __init__(self, metrics: Metrics, clock: Clock, collect: Callable[[int], None], alarms: Alarms) -> None:
        self._metrics = metrics
        self._clock = clock
        self._collect = collect
        self._alarms = alarms
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="alarms", daemon=True)

    def start(self) -> None:
        """Begin with the current minute."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread, which may be waiting for what stops it."""
        self._stopped.set()

    def _run(self) -> None:
        minute = self._metrics.period_at(self._clock.now())
        while not self._stopped.wait(max(_SHORTEST_PAUSE, self._metrics.start_of(minute + 1) - self._clock.now())):
            ended = self._metrics.period_at(self._clock.now()) - 1
            try:
                self.minutes_ended(range(max(minute, ended - _MOST_MINUTES + 1), ended + 1))
            except Exception:
                if not self._stopped.is_set():
                    traceback.print_exc(file=sys.stderr)  # The log of local AWS. The next minute is another one.
            minute = max(minute, ended + 1)

    def minutes_ended(self, minutes: range) -> None:
        """Collect the metrics of minutes, and evaluate the alarms at the end of each."""
        for minute in minutes:
            self._collect(minute)
            if changes := [change for alarm in self._alarms.all() if (change := self._evaluate(alarm, minute))]:
                self._alarms.apply(changes)

    def _evaluate(self, alarm: Alarm, minute: int) -> Change | None:
        try:
            period = period_of(alarm.settings)
            if period % MINUTE or not period:
                raise NotRehearsed(f"alarms with a period of {period} seconds")
            number, left = divmod(minute + 1, period // MINUTE)
            if left:
                return None
            verdict = assess(alarm.settings, reader(self._metrics, alarm.region), number - 1, alarm.state)
        except NotRehearsed as error:
            if alarm.settings.get("StateReason") == str(error):
                return None
            return Change(alarm.region, alarm.name, alarm.settings, INSUFFICIENT_DATA, str(error), "")
        return self._change(alarm, verdict) if verdict.state != alarm.state else None

    def _change(self, alarm: Alarm, verdict: Verdict) -> Change:
        def start_of(number: int) -> float:
            return self._metrics.start_of(number, verdict.period)

        why = reason(alarm.settings, verdict, alarm.state, start_of)
        data = reason_data(alarm.settings, verdict, self._clock.now(), start_of)
        return Change(alarm.region, alarm.name, alarm.settings, verdict.state, why, data)


def reader(metrics: Metrics, region: str) -> Callable[[Mapping[str, Any], range], Series]:
    """A function that returns the data points of a MetricStat of a region, in some periods."""

    def read(stat: Mapping[str, Any], numbers: range) -> Series:
        metric = metric_of(region, stat.get("Metric") or {})
        if stat.get("Unit") and stat["Unit"] != metrics.unit(metric):
            return {}
        return metrics.series(metric, str(stat.get("Stat")), int(stat.get("Period", 0)), numbers)

    return read


def metric_of(region: str, given: Mapping[str, Any]) -> Metric:
    """A metric in the form of the API."""
    dimensions = {one["Name"]: one.get("Value", "") for one in given.get("Dimensions") or []}
    return Metric.of(region, given.get("Namespace", ""), given.get("MetricName", ""), dimensions)
