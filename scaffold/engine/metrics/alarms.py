"""The state of an alarm, computed from its data points.

*evaluation* is CloudWatch's page "Using Amazon CloudWatch alarms" (AlarmThatSendsEmail, "Evaluating an alarm" and "How
alarm state is evaluated when data is missing").
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from scaffold.engine.metrics.expressions import NotRehearsed
from scaffold.engine.metrics.metric_math import Series
from scaffold.engine.metrics.queries import Query, Read, Result, results

#: The settings of an alarm, as PutMetricAlarm and templates give them.
Settings = Mapping[str, Any]

ALARM, OK, INSUFFICIENT_DATA = "ALARM", "OK", "INSUFFICIENT_DATA"
#: Each comparison with its words in the reason of a state.
COMPARISONS: dict[str, tuple[Callable[[float, float], bool], str]] = {
    "GreaterThanThreshold": (operator.gt, "greater than"),
    "GreaterThanOrEqualToThreshold": (operator.ge, "greater than or equal to"),
    "LessThanThreshold": (operator.lt, "less than"),
    "LessThanOrEqualToThreshold": (operator.le, "less than or equal to"),
}
_TREATMENTS = ("breaching", "notBreaching", "ignore", "missing")
# In the documentation's examples CloudWatch retrieves five data points for three evaluation periods.
_MORE_PERIODS = 2


@dataclass(frozen=True)
class Verdict:
    """What the evaluation of an alarm results in.

    Attributes:
        considered: The data points that were evaluated, by the numbers of their periods.
        missing: How many more the alarm needs.
        period: In seconds.
    """

    state: str
    considered: Series
    missing: int
    period: int = 60


def queries_of(alarm: Settings) -> Sequence[Query]:
    """The metric data queries of an alarm; one that is not on metric math has one.

    Raises:
        NotRehearsed: The alarm compares with more than a number, or has no metric.
    """
    for setting in ("ThresholdMetricId", "EvaluationCriteria"):
        if alarm.get(setting):
            raise NotRehearsed(f"alarms with {setting}")
    if alarm.get("EvaluateLowSampleCountPercentile") == "ignore":
        raise NotRehearsed("alarms that ignore percentiles of few samples")
    if alarm.get("Metrics"):
        return list(alarm["Metrics"])
    if not alarm.get("MetricName"):
        raise NotRehearsed("alarms without a metric")
    metric = {key: alarm[key] for key in ("Namespace", "MetricName", "Dimensions") if alarm.get(key)}
    statistic = alarm.get("ExtendedStatistic") or alarm.get("Statistic")
    stat = {"Metric": metric, "Stat": statistic, "Period": alarm.get("Period"), "Unit": alarm.get("Unit")}
    return [{"Id": "m1", "MetricStat": {key: value for key, value in stat.items() if value}}]


def period_of(alarm: Settings) -> int:
    """The period of an alarm in seconds.

    Raises:
        NotRehearsed: Its metrics do not have one period, or it is one that is not rehearsed.
    """
    periods = {int(query["MetricStat"].get("Period", 0)) for query in queries_of(alarm) if query.get("MetricStat")}
    if len(periods) != 1:
        raise NotRehearsed("alarms whose metrics do not have one period")
    return periods.pop()


def assess(alarm: Settings, read: Read, now: int, previous: str) -> Verdict:
    """Evaluate an alarm at the end of a period.

    Args:
        read: Returns the data points of a MetricStat in some periods.
        now: The number of the period that ended last.
        previous: The state of the alarm.

    Raises:
        NotRehearsed: The engine cannot evaluate it.
    """
    # evaluation: "CloudWatch attempts to retrieve a higher number of data points than specified by Evaluation Periods".
    retrieved = range(now - int(alarm["EvaluationPeriods"]) + 1 - _MORE_PERIODS, now + 1)
    queries = queries_of(alarm)
    found = results(queries, read, lambda _: retrieved)
    returned: list[Result] = [found[query["Id"]] for query in queries if query.get("ReturnData", True)]
    if len(returned) != 1:
        raise NotRehearsed("alarms that do not return exactly one time series")
    return judge(alarm, returned[0].points, now, previous, returned[0].period)


def judge(alarm: Settings, points: Series, now: int, previous: str, period: int = 60) -> Verdict:
    """The state of an alarm by the data points that were retrieved.

    evaluation: where the existing data points are at least Evaluation Periods, the most recent of them are evaluated,
    and missing ones are ignored; otherwise missing data is filled in as TreatMissingData says, "as few times as
    possible". ALARM if at least Datapoints to Alarm of them breach.
    """
    periods = int(alarm["EvaluationPeriods"])
    needed = int(alarm.get("DatapointsToAlarm") or periods)
    comparison = alarm["ComparisonOperator"]
    if comparison not in COMPARISONS:
        raise NotRehearsed(f"the comparison {comparison}")
    breaches = COMPARISONS[comparison][0]
    treatment = alarm.get("TreatMissingData") or "missing"
    if treatment not in _TREATMENTS:
        raise NotRehearsed(f"the treatment {treatment} of missing data")
    latest = {number: points[number] for number in sorted(points)[-periods:]}
    missing = periods - len(latest)
    breaching = [number for number, value in latest.items() if breaches(value, float(alarm["Threshold"]))]
    filled = missing if treatment == "breaching" else 0
    if len(breaching) + filled >= needed:
        state = ALARM
    elif treatment in ("breaching", "notBreaching") or len(latest) > len(breaching):
        state = OK
    elif treatment == "ignore":
        state = previous
    elif not latest:
        state = INSUFFICIENT_DATA
    else:
        # evaluation, "Avoiding premature transitions to alarm state": with missing data between them, the data points
        # that exist are enough once the oldest of them is as old as Datapoints to Alarm.
        state = ALARM if now - min(breaching) + 1 >= needed else previous
    return Verdict(state, latest, missing, period)
