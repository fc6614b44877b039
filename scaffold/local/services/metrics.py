"""CloudWatch's API for metrics, over those of the engine."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

from botocore.utils import parse_to_aware_datetime

from scaffold.engine.metrics.expressions import NotRehearsed
from scaffold.engine.metrics.monitor import metric_of, reader
from scaffold.engine.metrics.queries import Result, results
from scaffold.engine.metrics.samples import Samples
from scaffold.engine.metrics.store import Metric, Metrics
from scaffold.local import ministack_bridge
from scaffold.local.protocol import AwsService, Call, Document, ServiceError

_PAGE = 500


class MetricsApi(AwsService):
    """Publishes and reads metrics."""

    name = "cloudwatch"
    invalid_input = "ValidationError"

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def install(self) -> None:
        """Monkeypatch ministack's CloudWatch to store and read metrics here."""
        for operation, method in {
            "GetMetricData": self.get_metric_data,
            "GetMetricStatistics": self.get_metric_statistics,
            "ListMetrics": self.list_metrics,
            "PutMetricData": self.put_metric_data,
        }.items():
            ministack_bridge.answer_cloudwatch(operation, self._answering(operation, method))
        ministack_bridge.replace_recorded_metrics(self._record)

    def put_metric_data(self, call: Call) -> Document:
        """Publish values."""
        namespace = call.parameters["Namespace"]
        if namespace.startswith("AWS/"):
            raise ServiceError("InvalidParameterValue", f"The value {namespace} for parameter Namespace is invalid.")
        if "EntityMetricData" in call.parameters:
            raise NotRehearsed("metrics with entities")
        for datum in call.parameters.get("MetricData", []):
            if samples := _samples(datum):
                moment = _moment(datum["Timestamp"]) if "Timestamp" in datum else self._metrics.now()
                metric = metric_of(call.region, {**datum, "Namespace": namespace})
                self._metrics.record(metric, self._metrics.period_at(moment), samples, datum.get("Unit", "None"))
        return {}

    def list_metrics(self, call: Call) -> Document:
        """List the metrics that were published."""
        given = call.parameters
        wanted = [(one["Name"], one.get("Value")) for one in given.get("Dimensions", [])]
        found = [
            metric
            for metric in sorted(
                self._metrics.known(call.region), key=lambda one: (one.namespace, one.name, one.dimensions)
            )
            if given.get("Namespace") in (None, metric.namespace)
            and given.get("MetricName") in (None, metric.name)
            and all(_has(metric, name, value) for name, value in wanted)
        ]
        start = int(given.get("NextToken") or 0)
        answer: Document = {"Metrics": [_described(metric) for metric in found[start : start + _PAGE]]}
        if len(found) > start + _PAGE:
            answer["NextToken"] = str(start + _PAGE)
        return answer

    def get_metric_statistics(self, call: Call) -> Document:
        """Read statistics of a metric."""
        given, period = call.parameters, call.parameters["Period"]
        metric = metric_of(call.region, given)
        unit = self._metrics.unit(metric)
        points = []
        if given.get("Unit") in (None, unit):
            found = self._metrics.samples(metric, period, self._periods(given)(period))
            points = [self._point(given, number, samples, unit) for number, samples in found.items()]
        return {"Label": given["MetricName"], "Datapoints": points}

    def get_metric_data(self, call: Call) -> Document:
        """Read metrics and compute expressions."""
        given = call.parameters
        queries = given["MetricDataQueries"]
        found = results(queries, reader(self._metrics, call.region), self._periods(given))
        ascending = given.get("ScanBy") == "TimestampAscending"
        returned = [query for query in queries if query.get("ReturnData", True)]
        return {"MetricDataResults": [self._result(query, found[query["Id"]], ascending) for query in returned]}

    def _answering(self, operation: str, method: Callable[[Call], Document]) -> Callable[[Document], Document]:
        def answer(parameters: Document) -> Document:
            call = Call(operation, parameters, ministack_bridge.get_region())
            self.check_input(call)
            try:
                return method(call)
            except NotRehearsed as error:
                raise ServiceError("LocalAwsNotImplemented", str(error)) from error

        return answer

    def _record(self, namespace: str, name: str, value: float, unit: str, dimensions: dict[str, str]) -> None:
        metric = Metric.of(ministack_bridge.get_region(), namespace, name, dimensions)
        now = self._metrics.period_at(self._metrics.now())
        self._metrics.record(metric, now, Samples.of({value: 1}), unit)

    def _periods(self, given: Document) -> Callable[[int], range]:
        """The numbers of the periods that begin between the start and the end of a request."""
        start, end = _moment(given["StartTime"]), _moment(given["EndTime"])

        def numbers(period: int) -> range:
            if period <= 0:
                raise NotRehearsed(f"a period of {period} seconds")
            first, last = self._metrics.period_at(start, period), self._metrics.period_at(end, period)
            return range(first, last + (self._metrics.start_of(last, period) < end))

        return numbers

    def _point(self, given: Document, number: int, samples: Samples, unit: str) -> Document:
        point: Document = {"Timestamp": self._metrics.start_of(number, given["Period"]), "Unit": unit}
        point |= {name: samples.statistic(name) for name in given.get("Statistics", [])}
        extended = {name: samples.statistic(name) for name in given.get("ExtendedStatistics", [])}
        if extended := {name: value for name, value in extended.items() if value is not None}:
            point["ExtendedStatistics"] = extended
        return point

    def _result(self, query: Document, result: Result, ascending: bool) -> Document:
        points = sorted(result.points.items(), reverse=not ascending)
        stat = query.get("MetricStat") or {}
        return {
            "Id": query["Id"],
            "Label": query.get("Label") or stat.get("Metric", {}).get("MetricName") or query["Id"],
            "Timestamps": [self._metrics.start_of(number, result.period) for number, _ in points],
            "Values": [value for _, value in points],
            "StatusCode": "Complete",
        }


def _samples(datum: Document) -> Samples | None:
    """The values of a datum; None for none."""
    if statistics := datum.get("StatisticValues"):
        values = [float(statistics[name]) for name in ("SampleCount", "Sum", "Minimum", "Maximum")]
        return Samples(values[0], values[1], values[2], values[3], None) if values[0] else None
    counts: Counter[float] = Counter()
    values = datum.get("Values") or ([datum["Value"]] if "Value" in datum else [])
    for value, times in zip(values, datum.get("Counts") or [1] * len(values), strict=False):
        counts[float(value)] += times
    return Samples.of(counts) if counts else None


def _has(metric: Metric, name: str, value: str | None) -> bool:
    return any(own == name and value in (None, given) for own, given in metric.dimensions)


def _described(metric: Metric) -> Document:
    dimensions = [{"Name": name, "Value": value} for name, value in metric.dimensions]
    return {"Namespace": metric.namespace, "MetricName": metric.name, "Dimensions": dimensions}


def _moment(value: Any) -> float:
    return float(parse_to_aware_datetime(value).timestamp())
