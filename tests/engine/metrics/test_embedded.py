"""Metrics in lines of a log."""

from __future__ import annotations

import json
from typing import Any

import pytest

from scaffold.engine.metrics.embedded import embedded
from scaffold.engine.metrics.store import Metric

DIRECTIVE = {
    "Namespace": "orders",
    "Dimensions": [["environment"], ["environment", "operation"]],
    "Metrics": [{"Name": "Failed", "Unit": "Count"}, {"Name": "Duration"}],
}
LINE = {
    "_aws": {"Timestamp": 1_700_000_000_000, "CloudWatchMetrics": [DIRECTIVE]},
    "environment": "live",
    "operation": "greeting",
    "Failed": 3,
    "Duration": [1.5, 2, 2],
}


def of(**changes: Any) -> list[Any]:
    return embedded(json.dumps({**LINE, **changes}), "eu-central-1")


def test_each_metric_has_each_set_of_dimensions() -> None:
    found = {(metric.name, metric.dimensions): (samples, unit, moment) for metric, samples, unit, moment in of()}
    one, two = (("environment", "live"),), (("environment", "live"), ("operation", "greeting"))
    assert set(found) == {(name, dimensions) for name in ("Failed", "Duration") for dimensions in (one, two)}
    samples, unit, moment = found["Failed", one]
    assert (samples.count, samples.total, unit, moment) == (1, 3, "Count", 1_700_000_000)
    assert found["Duration", two][0].values == ((1.5, 1), (2, 2))
    assert found["Duration", two][1] == "None"
    assert of()[0][0] == Metric.of("eu-central-1", "orders", "Failed", {"environment": "live"})


@pytest.mark.parametrize(
    "changes",
    [
        {"environment": None},
        {"operation": 7},
        {"Failed": "many"},
        {"Duration": []},
        {"Duration": [1] * 101},
        {"_aws": {"CloudWatchMetrics": [DIRECTIVE]}},
        {"_aws": 7},
    ],
)
def test_what_is_no_such_document_has_no_metrics(changes: dict[str, Any]) -> None:
    assert of(**changes) == []


def test_other_lines_have_no_metrics() -> None:
    for line in ('{"msg": "request"}', "plain", '"_aws"', '{"_aws"'):
        assert embedded(line, "eu-central-1") == []
