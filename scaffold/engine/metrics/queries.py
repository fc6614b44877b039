"""Metric data queries: metrics and expressions that refer to each other, in the form of CloudWatch's API."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from scaffold.engine.metrics.expressions import NotRehearsed, names_in
from scaffold.engine.metrics.metric_math import Series, evaluate

Query = Mapping[str, Any]
#: Takes a MetricStat and the numbers of periods, and returns the data points.
Read = Callable[[Mapping[str, Any], range], Series]


@dataclass(frozen=True)
class Result:
    """The data points of a query, by the numbers of its periods."""

    period: int
    points: Series


def results(queries: Sequence[Query], read: Read, range_of: Callable[[int], range]) -> dict[str, Result]:
    """The results of all queries, by their Id.

    Args:
        range_of: The numbers of the periods to retrieve, for a period in seconds.

    Raises:
        NotRehearsed: An expression, a statistic or a period, or metrics of different accounts or periods.
    """
    found: dict[str, Result] = {}
    waiting: dict[str, str] = {}
    for query in queries:
        if "AccountId" in query:
            raise NotRehearsed("metrics of another account")
        if "Expression" in query:
            waiting[query["Id"]] = query["Expression"]
        else:
            stat = query.get("MetricStat") or {}
            period = int(stat.get("Period", 0))
            found[query["Id"]] = Result(period, read(stat, range_of(period)))
    while waiting:
        ready = next((one for one, expression in waiting.items() if names_in(expression) <= set(found)), None)
        if ready is None:
            raise NotRehearsed(f"the expression {next(iter(waiting.values()))!r}, which refers to an unknown Id")
        found[ready] = _computed(waiting.pop(ready), found, range_of)
    return found


def _computed(expression: str, known: Mapping[str, Result], range_of: Callable[[int], range]) -> Result:
    names = names_in(expression)
    periods = {known[name].period for name in names}
    if len(periods) != 1:
        raise NotRehearsed(f"the expression {expression!r}, whose metrics do not have one period")
    (period,) = periods
    return Result(period, evaluate(expression, {name: known[name].points for name in names}, range_of(period)))
