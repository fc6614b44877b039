"""Metrics that CloudWatch Logs makes of events in the embedded metric format, which ministack only stores."""

from __future__ import annotations

from scaffold.engine.metrics.embedded import embedded
from scaffold.engine.metrics.store import Metrics
from scaffold.local import ministack_bridge
from scaffold.local.protocol import AwsService, Call, Document


class LogMetrics(AwsService):
    """PutLogEvents of CloudWatch Logs.

    Args:
        metrics: Takes what the events have.
    """

    name = "logs"

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def put_log_events(self, call: Call) -> Document:
        """Store events, and record their metrics."""
        answer = ministack_bridge.call("logs", "PutLogEvents", call.parameters, call.region)
        for event in call.parameters["logEvents"]:
            for metric, samples, unit, moment in embedded(event["message"], call.region):
                self._metrics.record(metric, self._metrics.period_at(moment), samples, unit)
        return answer
