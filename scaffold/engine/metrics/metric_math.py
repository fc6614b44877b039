"""What CloudWatch computes of an expression over time series.

*math* is CloudWatch's page "Using metric math" (using-metric-math).
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Mapping

from scaffold.engine.metrics.expressions import Array, Call, Name, Node, NotRehearsed, Number, Operation, parse

#: A time series, by the number of the period. A period without a value has no data point.
Series = dict[int, float]
Value = float | Series | list[Series]

_OPERATORS: dict[str, Callable[[float, float], float]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
    "AND": lambda one, other: bool(one) and bool(other),
    "OR": lambda one, other: bool(one) or bool(other),
}
_AGGREGATES: dict[str, Callable[[list[float]], float]] = {
    "MAX": max,
    "MIN": min,
    "SUM": sum,
    "AVG": lambda values: sum(values) / len(values),
}


def evaluate(expression: str, known: Mapping[str, Series], periods: range) -> Series:
    """The time series of an expression.

    Args:
        known: The time series of the metrics and other expressions, by their Id.
        periods: The periods that CloudWatch retrieves, which FILL fills.

    Raises:
        NotRehearsed: It uses a function that is not rehearsed, or is not a single time series.
    """
    found = _value(parse(expression), known, periods)
    if not isinstance(found, dict):
        raise NotRehearsed(f"the expression {expression!r}, which is not a single time series")
    return found


def _value(node: Node, known: Mapping[str, Series], periods: range) -> Value:
    def inner(node: Node) -> Value:
        return _value(node, known, periods)

    match node:
        case Number(value):
            return value
        case Name(name) if name in known:
            return known[name]
        case Name(name):
            raise NotRehearsed(f"the Id {name}, which no query has")
        case Array(items):
            return [_series(inner(item)) for item in items]
        case Operation(sign, left, right):
            return _combine(_OPERATORS[sign], inner(left), inner(right))
        case Call("IF", (condition, *branches)) if len(branches) in (1, 2):
            return _if(_series(inner(condition)), *map(inner, branches))
        case Call("FILL", (series, Number(filler))):
            return dict.fromkeys(periods, filler) | _series(inner(series))
        case Call("FILL", (series, Call("REPEAT", ()))):
            return _repeat(_series(inner(series)), periods)
        case Call(name, (Array() as array,)) if name in _AGGREGATES:
            return _aggregate(_AGGREGATES[name], inner(array))
        case Call(name):
            raise NotRehearsed(f"the function {name} of metric math with these arguments")


def _series(value: Value) -> Series:
    if not isinstance(value, dict):
        raise NotRehearsed("a number or an array where metric math needs a time series")
    return value


def _combine(operation: Callable[[float, float], float], left: Value, right: Value) -> Value:
    """An arithmetic operation or a comparison.

    math: "Missing values in a time series are treated as 0. If the value of a data point causes a function to attempt
    to divide by zero, the data point is dropped." A comparison treats the value as 0 that only one of the two lacks.
    """
    if isinstance(left, list) or isinstance(right, list):
        raise NotRehearsed("operators on arrays")
    if not isinstance(left, dict) and not isinstance(right, dict):
        if operation is operator.truediv and right == 0:
            raise NotRehearsed("a division of numbers by zero")
        return float(operation(left, right))
    found: Series = {}
    for period in {**(left if isinstance(left, dict) else {}), **(right if isinstance(right, dict) else {})}:
        one, other = (side.get(period, 0.0) if isinstance(side, dict) else side for side in (left, right))
        if not (operation is operator.truediv and other == 0):
            found[period] = float(operation(one, other))
    return found


def _if(condition: Series, yes: Value, no: Value | None = None) -> Series:
    """math, "Using IF expressions": each data point of the condition chooses; a series chosen by TRUE that has no data
    point gives 0; a missing or omitted third argument drops the data point, and so does a missing condition.
    """
    found = {}
    for period, true in condition.items():
        chosen = yes if true else no
        if isinstance(chosen, dict):
            if true or period in chosen:
                found[period] = chosen.get(period, 0.0)
        elif isinstance(chosen, float):
            found[period] = chosen
        elif chosen is not None:
            raise NotRehearsed("IF that chooses an array")
    return found


def _repeat(series: Series, periods: Iterable[int]) -> Series:
    """math: FILL with REPEAT uses the most recent actual value before the missing one."""
    found, last = dict(series), None
    for period in periods:
        last = found.get(period, last)
        if last is not None:
            found[period] = last
    return found


def _aggregate(function: Callable[[list[float]], float], array: Value) -> Series:
    """math: MAX, MIN, SUM and AVG "of an array of time series" return one series. Series without a data point in a
    period do not count in it. (Of a single time series they return a scalar, which the page advises against in alarms.)
    """
    found: Series = {}
    series = array if isinstance(array, list) else []
    for period in set().union(*series):
        found[period] = float(function([one[period] for one in series if period in one]))
    return found
