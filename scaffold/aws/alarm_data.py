"""Whether alarms had enough data to judge."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from scaffold.aws.session import Session


def without_data(session: Session, alarms: Sequence[str], since: datetime) -> tuple[str, ...]:
    """Those of some alarms, at most a hundred, whose metrics have had data since a moment in fewer periods than
    an alarm needs to fire.
    """
    if not alarms:
        return ()
    cloudwatch = session.client("cloudwatch")
    between = {"StartTime": since, "EndTime": datetime.now(UTC)}
    found = []
    for alarm in cloudwatch.describe_alarms(AlarmNames=list(alarms))["MetricAlarms"]:
        results = cloudwatch.get_metric_data(MetricDataQueries=_queries(alarm), **between)["MetricDataResults"]
        needed = alarm.get("DatapointsToAlarm") or alarm["EvaluationPeriods"]
        if max((len(result["Values"]) for result in results), default=0) < needed:
            found.append(str(alarm["AlarmName"]))
    return tuple(sorted(found))


def _queries(alarm: Mapping[str, Any]) -> Sequence[Any]:
    if "Metrics" in alarm:
        return list(alarm["Metrics"])
    metric = {name: alarm[name] for name in ("Namespace", "MetricName", "Dimensions") if name in alarm}
    statistic = alarm.get("ExtendedStatistic") or alarm.get("Statistic")
    return [{"Id": "m1", "MetricStat": {"Metric": metric, "Period": alarm.get("Period"), "Stat": statistic}}]
