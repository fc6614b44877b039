"""The reason of an alarm's state, as CloudWatch words it."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime

from scaffold.engine.metrics.alarms import ALARM, COMPARISONS, INSUFFICIENT_DATA, Settings, Verdict

_TREATED = {"breaching": "Breaching", "notBreaching": "NonBreaching"}


def reason(alarm: Settings, verdict: Verdict, previous: str, start_of: Callable[[int], float]) -> str:
    """Why an alarm has changed its state.

    Args:
        start_of: The moment at which a period begins.
    """
    if verdict.state == INSUFFICIENT_DATA:
        return f"Insufficient Data: {_count(verdict.missing)} {_were(verdict.missing)} unknown."
    treated = _TREATED.get(alarm.get("TreatMissingData") or "missing")
    filled = f"{verdict.missing} missing {_noun(verdict.missing)} {_were(verdict.missing)} treated as [{treated}]"
    if not verdict.considered:
        return f"Threshold Crossed: no datapoints were received for {verdict.missing} periods and {filled}."
    compare, words = COMPARISONS[alarm["ComparisonOperator"]]
    threshold, periods = float(alarm["Threshold"]), int(alarm["EvaluationPeriods"])
    needed = int(alarm.get("DatapointsToAlarm") or periods)
    into = verdict.state == ALARM
    relevant = {n: value for n, value in verdict.considered.items() if compare(value, threshold) == into}
    values = ", ".join(f"{value} ({_moment(start_of(number))})" for number, value in sorted(relevant.items())[::-1])
    enough = needed if into else periods - needed + 1
    sentence = (
        f"Threshold Crossed: {len(relevant)} out of the last {_count(len(verdict.considered))} [{values}] "
        f"{_were(len(relevant))} {'' if into else 'not '}{words} the threshold ({threshold}) "
        f"(minimum {_count(enough)} for {previous} -> {verdict.state} transition)"
    )
    return f"{sentence}, and {filled}." if treated and verdict.missing else f"{sentence}."


def reason_data(alarm: Settings, verdict: Verdict, now: float, start_of: Callable[[int], float]) -> str:
    """The same for programs, as a JSON document."""
    points = sorted(verdict.considered.items())
    document = {
        "version": "1.0",
        "queryDate": timestamp(now),
        "period": verdict.period,
        "recentDatapoints": [value for _, value in points],
        "threshold": float(alarm["Threshold"]),
        "evaluatedDatapoints": [{"timestamp": timestamp(start_of(n)), "value": value} for n, value in points[::-1]],
    }
    if points:
        document["startDate"] = timestamp(start_of(points[0][0]))
    return json.dumps(document)


def timestamp(moment: float) -> str:
    """A moment as alarms write it."""
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "+0000"


def _moment(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).strftime("%d/%m/%y %H:%M:%S")


def _noun(number: int) -> str:
    return "datapoint" if number == 1 else "datapoints"


def _were(number: int) -> str:
    return "was" if number == 1 else "were"


def _count(number: int) -> str:
    return f"{number} {_noun(number)}"
