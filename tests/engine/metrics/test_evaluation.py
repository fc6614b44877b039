"""Metric math, statistics and the states of alarms: the examples of CloudWatch's documentation."""

from __future__ import annotations

import contextlib
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scaffold.engine.metrics.alarms import COMPARISONS, Verdict, assess, judge
from scaffold.engine.metrics.expressions import NotRehearsed
from scaffold.engine.metrics.metric_math import Series, evaluate
from scaffold.engine.metrics.reasons import reason
from scaffold.engine.metrics.samples import Samples


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
        ("MIN([metric1, metric3])", "0 0 0 0 20"),
        ("AVG([metric1, metric2])", "15.5 1 0 0 30"),
        ("FILL(metric1, 7)", "1 1 0 0 7"),
        ("FILL(metric2, REPEAT)", "30 30 0 0 30"),
        ("-metric2 + 2 * (metric1 - 0.5)", "-29 1 -1 -1 -30"),
        ("metric2 >= 30 AND metric1 == 1", "1 0 0 0 0"),
        ("metric2 >= 30 || metric3 != 0", "1 0 1 0 1"),
    ],
)
def test_metric_math(expression: str, expected: str) -> None:
    assert evaluate(expression, METRICS, range(5)) == series(expected)


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from("+-*/"), st.sampled_from(["a", "b", "3", "0.5", "(a - b)", "-b"])), max_size=8)
)
def test_arithmetic_has_the_precedence_of_numbers(operations: list[tuple[str, str]]) -> None:
    """Python's own arithmetic is the oracle; no operand is zero."""
    expression = " ".join(["a", *(part for operation in operations for part in operation)])
    known: dict[str, Series] = {"a": {0: 1.0, 1: 2.0}, "b": {0: 3.0, 1: 5.0}}
    found = evaluate(expression, known, range(2))
    for period in (0, 1):
        expected = eval(expression, {name: points[period] for name, points in known.items()})
        assert math.isclose(found[period], expected, abs_tol=1e-9), expression


@settings(deadline=None)
@given(st.text(alphabet="abM()[],+-*/<>=&| 01.", max_size=12))
def test_any_text_is_evaluated_or_not_rehearsed(expression: str) -> None:
    with contextlib.suppress(NotRehearsed):
        evaluate(expression, {"a": {0: 1.0}, "b": {}}, range(2))


@pytest.mark.parametrize(("expression", "expected"), [("metric1 < metric2", "0 0 1 0"), ("metric1 >= 30", "1 0 0 0")])
def test_comparisons(expression: str, expected: str) -> None:
    assert evaluate(expression, COMPARED, range(4)) == series(expected)


ALL_STATES = pytest.mark.parametrize(
    ("points", "needed", "missing", "ignore", "breaching", "not_breaching"),
    [
        ("0 - X - X", 3, "OK", "OK", "OK", "OK"),
        ("0 - - - -", 3, "OK", "OK", "OK", "OK"),
        ("- - - - -", 3, "INSUFFICIENT_DATA", "previous", "ALARM", "OK"),
        ("0 X X - X", 3, "ALARM", "ALARM", "ALARM", "ALARM"),
        ("- - X - -", 3, "ALARM", "previous", "ALARM", "OK"),
        ("- - - - X", 3, "previous", "previous", "ALARM", "OK"),
        ("X - - - -", 3, "ALARM", "previous", "ALARM", "OK"),
        ("0 - X - X", 2, "ALARM", "ALARM", "ALARM", "ALARM"),
        ("0 0 X 0 X", 2, "ALARM", "ALARM", "ALARM", "ALARM"),
        ("0 - X - -", 2, "OK", "OK", "ALARM", "OK"),
        ("- - - - 0", 2, "OK", "OK", "ALARM", "OK"),
        ("- - - X -", 2, "ALARM", "previous", "ALARM", "OK"),
        ("- - - - X", 2, "previous", "previous", "ALARM", "OK"),
    ],
)


def alarm_settings(**changed: object) -> dict[str, object]:
    return {
        "ComparisonOperator": "GreaterThanThreshold",
        "Threshold": 0,
        "EvaluationPeriods": 3,
        "TreatMissingData": "missing",
        **changed,
    }


@ALL_STATES
def test_states(points: str, needed: int, missing: str, ignore: str, breaching: str, not_breaching: str) -> None:
    """The tables "How alarm state is evaluated when data is missing", and what follows from the text below them."""
    expected = {"missing": missing, "ignore": ignore, "breaching": breaching, "notBreaching": not_breaching}
    for treatment, state in expected.items():
        for previous in ("ALARM", "OK"):
            alarm = alarm_settings(DatapointsToAlarm=needed, TreatMissingData=treatment)
            found = judge(alarm, series(points.replace("X", "1")), now=4, previous=previous)
            assert found.state == (previous if state == "previous" else state), treatment


def test_comparisons_of_alarms() -> None:
    expected = {
        "GreaterThanThreshold": "0 0 1",
        "GreaterThanOrEqualToThreshold": "0 1 1",
        "LessThanThreshold": "1 0 0",
        "LessThanOrEqualToThreshold": "1 1 0",
    }
    assert set(COMPARISONS) == set(expected)
    for comparison, breaching in expected.items():
        alarm = alarm_settings(ComparisonOperator=comparison, Threshold=2, EvaluationPeriods=1)
        states = [judge(alarm, {0: value}, now=0, previous="OK").state for value in (1, 2, 3)]
        assert states == ["ALARM" if one == "1" else "OK" for one in breaching.split()]


def test_statistics() -> None:
    samples = Samples.of({1: 2, 2: 1}) + Samples.of({10: 1, 1: 1})
    names = ("SampleCount", "Sum", "Average", "Minimum", "Maximum", "p50", "p100", "p75", "p0.0")
    assert [samples.statistic(name) for name in names] == [5, 15, 3, 1, 10, 1, 10, 2, 1]
    spread = Samples(2, 12, 2, 10, None)
    assert [(samples + spread).statistic(name) for name in names[:5]] == [7, 27, 27 / 7, 1, 10]
    assert [spread.statistic("p95"), Samples.of({-1: 1}).statistic("p95")] == [None, None]
    assert Samples(3, 6, 2, 2, None).statistic("p95") == 2


@pytest.mark.parametrize("function", ["ABS", "ANOMALY_DETECTION_BAND", "METRICS", "RATE", "SEARCH", "STDDEV"])
def test_other_functions_are_not_rehearsed(function: str) -> None:
    with pytest.raises(NotRehearsed, match=f"the function {function} of metric math"):
        evaluate(f"{function}([a])", {"a": {0: 1.0}}, range(2))


METRIC = {"Id": "m", "MetricStat": {"Metric": {}, "Period": 60, "Stat": "Sum"}, "ReturnData": False}


@pytest.mark.parametrize(
    ("changed", "problem"),
    [
        ({"Metrics": [METRIC, {"Id": "e", "Expression": "RATE(m)"}]}, "the function RATE"),
        ({"Metrics": [METRIC, {"Id": "e", "Expression": "MAX(m)"}]}, "the function MAX"),
        ({"Metrics": [METRIC, {"Id": "e", "Expression": "FILL(m, LINEAR)"}]}, "the function FILL"),
        ({"Metrics": [METRIC, {"Id": "e", "Expression": "m ^ 2"}]}, "'^ 2'"),
        ({"Metrics": [METRIC, {"Id": "e", "Expression": "m +"}]}, "'the end'"),
        ({"Metrics": [METRIC, {"Id": "e", "Expression": "m m"}]}, "'m' in"),
        ({"Metrics": [METRIC, {"Id": "e", "Expression": "m + unknown"}]}, "unknown Id"),
        ({"Metrics": [METRIC, {"Id": "e", "Expression": "5"}]}, "one period"),
        ({"Metrics": [METRIC, {"Id": "e", "Expression": "[m, m]"}]}, "not a single time series"),
        ({"Metrics": [METRIC, {"Id": "e", "Expression": "m + 1 / (1 - 1)"}]}, "by zero"),
        ({"Metrics": [METRIC]}, "exactly one time series"),
        ({"MetricName": "x", "ThresholdMetricId": "band"}, "ThresholdMetricId"),
        ({"MetricName": "x", "EvaluateLowSampleCountPercentile": "ignore"}, "few samples"),
        ({"MetricName": "x", "ComparisonOperator": "LessThanLowerThreshold", "Period": 60}, "LessThanLowerThreshold"),
        ({}, "without a metric"),
    ],
)
def test_an_alarm_that_is_not_rehearsed_says_why(changed: dict[str, object], problem: str) -> None:
    with pytest.raises(NotRehearsed, match=r"not rehearsed: ") as refused:
        assess(alarm_settings(**changed), lambda _stat, periods: dict.fromkeys(periods, 1.0), 5, "OK")
    assert problem in str(refused.value)


def test_reasons() -> None:
    def why(treatment: str, points: str, previous: str = "OK") -> str:
        alarm = alarm_settings(TreatMissingData=treatment, DatapointsToAlarm=2, Threshold=5)
        verdict = judge(alarm, series(points), now=2, previous=previous)
        assert isinstance(verdict, Verdict)
        return reason(alarm, verdict, previous, lambda number: 60.0 * number)

    assert why("missing", "6 1 7.5") == (
        "Threshold Crossed: 2 out of the last 3 datapoints [7.5 (01/01/70 00:02:00), 6.0 (01/01/70 00:00:00)] "
        "were greater than the threshold (5.0) (minimum 2 datapoints for OK -> ALARM transition)."
    )
    assert why("notBreaching", "- - 1", "ALARM") == (
        "Threshold Crossed: 1 out of the last 1 datapoint [1.0 (01/01/70 00:02:00)] was not greater than the threshold "
        "(5.0) (minimum 2 datapoints for ALARM -> OK transition), "
        "and 2 missing datapoints were treated as [NonBreaching]."
    )
    assert why("breaching", "- - -") == (
        "Threshold Crossed: no datapoints were received for 3 periods "
        "and 3 missing datapoints were treated as [Breaching]."
    )
    assert why("missing", "- - -") == "Insufficient Data: 3 datapoints were unknown."
