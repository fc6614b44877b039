"""Plays the alarms of templates over minutes of metrics, with the engine's evaluation."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from scaffold.engine.metrics.alarms import INSUFFICIENT_DATA, assess
from scaffold.engine.metrics.metric_math import Series


def history(
    alarm: Mapping[str, Any], metrics: Callable[[Mapping[str, Any]], Series], minutes: range, late: int = 1
) -> list[str]:
    """The state of an alarm at the end of each minute.

    Args:
        alarm: The resolved properties of an AWS::CloudWatch::Alarm.
        metrics: Returns what is published for a MetricStat.
        minutes: When the alarm is evaluated.
        late: How many of the newest minutes have no data yet whenever the alarm is evaluated.
    """
    queries = [query["MetricStat"] for query in alarm["Metrics"] if "MetricStat" in query]
    published = {id(stat): metrics(stat) for stat in queries}
    states: list[str] = []
    for now in minutes:

        def read(stat: Mapping[str, Any], periods: range, now: int = now) -> Series:
            series = published[id(stat)]
            return {minute: series[minute] for minute in periods if minute in series and minute <= now - late}

        states.append(assess(alarm, read, now, states[-1] if states else INSUFFICIENT_DATA).state)
    return states
