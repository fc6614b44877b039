"""The evaluator of alarms computes the examples of CloudWatch's documentation."""

from __future__ import annotations

import pytest

from tests.infrastructure.cloudwatch import Series, evaluate, state


def series(points: str) -> Series:
    """A time series as the documentation writes it: `30 - 0` has no data point in its second minute."""
    return {minute: float(point) for minute, point in enumerate(points.split()) if point != "-"}


METRICS = {"metric1": series("1 1 0 0 -"), "metric2": series("30 - 0 0 30"), "metric3": series("0 0 20 - 20")}
COMPARED = {"metric1": series("30 20 0 0"), "metric2": series("20 - 20 -")}


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("IF(metric1, metric2, metric3)", "30 0 20 - -"),
        ("IF(metric1, 5, metric3)", "5 5 20 - -"),
        ("IF(metric1, metric2, 5)", "30 0 5 5 -"),
        ("IF(metric1, metric2)", "30 0 - - -"),
        ("metric2 + metric3", "30 0 20 0 50"),
        ("metric2 / metric3", "- - 0 - 1.5"),
        ("100 * metric1", "100 100 0 0 -"),
        ("SUM([metric1, metric2])", "31 1 0 0 30"),
        ("MAX([metric1, metric3])", "1 1 20 0 20"),
        ("FILL(metric1, 7)", "1 1 0 0 7"),
    ],
)
def test_metric_math(expression: str, expected: str) -> None:
    assert evaluate(expression, METRICS, range(5)) == series(expected)


@pytest.mark.parametrize(("expression", "expected"), [("metric1 < metric2", "0 0 1 0"), ("metric1 >= 30", "1 0 0 0")])
def test_comparisons(expression: str, expected: str) -> None:
    assert evaluate(expression, COMPARED, range(4)) == series(expected)


@pytest.mark.parametrize(
    ("points", "needed", "breaching", "not_breaching"),
    [
        ("0 - X - X", 3, "OK", "OK"),
        ("0 - - - -", 3, "OK", "OK"),
        ("- - - - -", 3, "ALARM", "OK"),
        ("0 X X - X", 3, "ALARM", "ALARM"),
        ("- - - - X", 3, "ALARM", "OK"),
        ("X - - - -", 3, "ALARM", "OK"),
        ("0 - X - X", 2, "ALARM", "ALARM"),
        ("0 0 X 0 X", 2, "ALARM", "ALARM"),
        ("0 - X - -", 2, "ALARM", "OK"),
        ("- - - - 0", 2, "ALARM", "OK"),
        ("- - - - X", 2, "ALARM", "OK"),
    ],
)
def test_states(points: str, needed: int, breaching: str, not_breaching: str) -> None:
    for treatment, expected in (("breaching", breaching), ("notBreaching", not_breaching)):
        alarm = {
            "ComparisonOperator": "GreaterThanThreshold",
            "Threshold": 0,
            "EvaluationPeriods": 3,
            "DatapointsToAlarm": needed,
            "TreatMissingData": treatment,
        }
        assert state(alarm, series(points.replace("X", "1"))) == expected
