"""What CloudWatch computes from the metrics of an alarm: its metric math, and the state of the alarm.

Only what the templates use. Each rule is CloudWatch's documentation, whose pages are named beside it:
*math* is "Using metric math" (using-metric-math), *evaluation* is "Using Amazon CloudWatch alarms"
(AlarmThatSendsEmail, "Evaluating an alarm" and "How alarm state is evaluated when data is missing").
"""

from __future__ import annotations

import ast
import functools
import operator
from collections.abc import Callable, Iterable, Mapping
from typing import Any

# A time series, by minute. A minute without a value has no data point.
Series = dict[int, float]
Value = float | Series | list[Series]

OPERATORS: dict[type, Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
}
COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    "GreaterThanThreshold": operator.gt,
    "GreaterThanOrEqualToThreshold": operator.ge,
    "LessThanThreshold": operator.lt,
    "LessThanOrEqualToThreshold": operator.le,
}
AGGREGATES: dict[str, Callable[[Iterable[float]], float]] = {"MAX": max, "MIN": min, "SUM": sum}


def evaluate(expression: str, known: Mapping[str, Series], minutes: range) -> Series:
    """The time series of a metric math expression.

    Args:
        expression: The expression. The subset that the templates use happens to be Python's grammar too.
        known: The time series of the metrics and other expressions, by their Id.
        minutes: The minutes that CloudWatch retrieves, which FILL fills.
    """
    found = _value(_parse(expression), known, minutes)
    assert isinstance(found, dict), f"{expression} is not a single time series"
    return found


@functools.cache
def _parse(expression: str) -> ast.expr:
    return ast.parse(expression.strip(), mode="eval").body


def _value(node: ast.expr, known: Mapping[str, Series], minutes: range) -> Value:
    def inner(node: ast.expr) -> Value:
        return _value(node, known, minutes)

    match node:
        case ast.Constant(value=int() | float() as number):
            return float(number)
        case ast.Name(id=name):
            return known[name]
        case ast.List(elts=items):
            return [_series(inner(item)) for item in items]
        case ast.BinOp(left=left, op=op, right=right):
            return _combine(OPERATORS[type(op)], inner(left), inner(right))
        case ast.Compare(left=left, ops=[op], comparators=[right]):
            return _combine(OPERATORS[type(op)], inner(left), inner(right))
        case ast.Call(func=ast.Name(id="IF"), args=[condition, *branches]):
            return _if(_series(inner(condition)), *map(inner, branches))
        case ast.Call(func=ast.Name(id="FILL"), args=[series, ast.Constant(value=int() as filler)]):
            return {minute: float(filler) for minute in minutes} | _series(inner(series))
        case ast.Call(func=ast.Name(id=name), args=[array]) if name in AGGREGATES:
            return _aggregate(AGGREGATES[name], inner(array))
    raise ValueError(f"not metric math that the templates use: {ast.unparse(node)}")


def _series(value: Value) -> Series:
    assert isinstance(value, dict), "needs a time series"
    return value


def _combine(operation: Callable[[float, float], float], left: Value, right: Value) -> Value:
    """An arithmetic operation or a comparison.

    math: "Missing values in a time series are treated as 0. If the value of a data point causes a function to attempt
    to divide by zero, the data point is dropped." A comparison treats the value as 0 that only one of the two lacks.
    """
    assert not isinstance(left, list)
    assert not isinstance(right, list)
    if not isinstance(left, dict) and not isinstance(right, dict):
        return operation(left, right)
    found = {}
    for minute in {**(left if isinstance(left, dict) else {}), **(right if isinstance(right, dict) else {})}:
        one, other = (side.get(minute, 0.0) if isinstance(side, dict) else side for side in (left, right))
        if not (operation is operator.truediv and other == 0):
            found[minute] = float(operation(one, other))
    return found


def _if(condition: Series, yes: Value, no: Value | None = None) -> Series:
    """math, "Using IF expressions": each data point of the condition chooses; a series chosen by TRUE that has no data
    point gives 0; a missing or omitted third argument drops the data point, and so does a missing condition.
    """
    found = {}
    for minute, true in condition.items():
        chosen = yes if true else no
        if isinstance(chosen, dict):
            if true or minute in chosen:
                found[minute] = chosen.get(minute, 0.0)
        elif isinstance(chosen, float):
            found[minute] = chosen
    return found


def _aggregate(function: Callable[[Iterable[float]], float], array: Value) -> Series:
    """math: MAX, MIN and SUM "of an array of time series" return one series. Series without a data point in a minute
    do not count in it. (Of a single time series they return a scalar, which the page advises against in alarms.)
    """
    assert isinstance(array, list), "needs an array of time series"
    minutes = {minute for series in array for minute in series}
    return {minute: float(function(series[minute] for series in array if minute in series)) for minute in minutes}


def data_points(alarm: Mapping[str, Any], metrics: Mapping[str, Series], minutes: range) -> Series:
    """The data points that an alarm on metric math evaluates.

    Args:
        alarm: The resolved properties of an AWS::CloudWatch::Alarm.
        metrics: The data points of its metrics, by Id.
        minutes: The minutes that CloudWatch retrieves.
    """
    known = dict(metrics)
    waiting = {query["Id"]: query["Expression"] for query in alarm["Metrics"] if "Expression" in query}
    while waiting:
        name = next(name for name, expression in waiting.items() if _names(expression) <= set(known))
        known[name] = evaluate(waiting.pop(name), known, minutes)
    (returned,) = [query["Id"] for query in alarm["Metrics"] if query.get("ReturnData", True)]
    return known[returned]


@functools.cache
def _names(expression: str) -> set[str]:
    """The Ids in an expression. Those start with a lower-case letter, functions are in upper case (math)."""
    nodes = ast.walk(_parse(expression))
    return {node.id for node in nodes if isinstance(node, ast.Name) and node.id[0].islower()}


def retrieved(alarm: Mapping[str, Any], now: int) -> range:
    """The evaluation range of an alarm with periods of a minute.

    evaluation: "CloudWatch attempts to retrieve a higher number of data points than specified by Evaluation Periods";
    in its examples five for three, hence two more.
    """
    return range(now - int(alarm["EvaluationPeriods"]) - 1, now + 1)


def state(alarm: Mapping[str, Any], points: Series) -> str:
    """ALARM or OK, from the data points in the evaluation range.

    evaluation: where the existing data points are at least Evaluation Periods, the most recent of them are evaluated,
    and missing ones are ignored; otherwise missing data is filled in as TreatMissingData says, "as few times as
    possible". ALARM if at least Datapoints to Alarm of them breach.
    """
    periods = int(alarm["EvaluationPeriods"])
    breaches = COMPARISONS[alarm["ComparisonOperator"]]
    treatment = alarm["TreatMissingData"]
    assert treatment in ("breaching", "notBreaching"), "the other two depend on the previous state"
    latest = [points[minute] for minute in sorted(points)[-periods:]]
    breaching = sum(breaches(value, float(alarm["Threshold"])) for value in latest)
    if treatment == "breaching":
        breaching += periods - len(latest)
    return "ALARM" if breaching >= int(alarm.get("DatapointsToAlarm", periods)) else "OK"


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
    published = {query["Id"]: metrics(query["MetricStat"]) for query in alarm["Metrics"] if "MetricStat" in query}
    states = []
    for now in minutes:
        visible = retrieved(alarm, now)
        arrived = {
            name: {minute: series[minute] for minute in visible if minute in series and minute <= now - late}
            for name, series in published.items()
        }
        states.append(state(alarm, data_points(alarm, arrived, visible)))
    return states
