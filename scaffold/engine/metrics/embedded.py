"""Metrics in lines of a log, in the embedded metric format.

Names are those of CloudWatch's "Specification: Embedded metric format". CloudWatch Logs makes metrics of each event
that is such a document, whoever sends it and whatever the log group is.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

from scaffold.engine.metrics.samples import Samples
from scaffold.engine.metrics.store import Metric

# Documents with longer arrays, or more dimensions of a metric, make no metrics.
_MOST_VALUES, _MOST_DIMENSIONS = 100, 30

#: A metric with its values, its unit and the moment in seconds since the epoch.
Embedded = tuple[Metric, Samples, str, float]


def embedded(message: str, region: str) -> list[Embedded]:
    """The metrics of an event; none where it is not a valid document."""
    try:
        document = json.loads(message) if '"_aws"' in message else None
        return list(_metrics(document, region)) if document else []
    except (ValueError, TypeError, KeyError, AttributeError):
        return []


def _metrics(document: dict[str, Any], region: str) -> Iterator[Embedded]:
    moment = float(document["_aws"]["Timestamp"]) / 1000
    for directive in document["_aws"]["CloudWatchMetrics"]:
        for names in directive["Dimensions"]:
            if len(names) > _MOST_DIMENSIONS or not all(isinstance(document[name], str) for name in names):
                raise ValueError("dimensions")
            dimensions = {name: document[name] for name in names}
            for definition in directive["Metrics"]:
                metric = Metric.of(region, directive["Namespace"], definition["Name"], dimensions)
                yield metric, _samples(document[definition["Name"]]), definition.get("Unit", "None"), moment


def _samples(target: Any) -> Samples:
    values = target if isinstance(target, list) else [target]
    if not 0 < len(values) <= _MOST_VALUES:
        raise ValueError("values")
    return Samples.of(Counter(float(value) for value in values))
