"""Starts what collects metrics and evaluates alarms, and puts it in place of ministack's."""

from __future__ import annotations

import asyncio

from scaffold.engine.balancer.balancers import Balancers
from scaffold.engine.clock import Clock
from scaffold.engine.events import Event, EventStream
from scaffold.engine.metrics.builds import counted
from scaffold.engine.metrics.load_balancers import published
from scaffold.engine.metrics.monitor import Monitor
from scaffold.engine.metrics.samples import Samples
from scaffold.engine.metrics.store import Metrics
from scaffold.local.services.alarms import StoredAlarms
from scaffold.local.services.log_metrics import LogMetrics
from scaffold.local.services.metrics import MetricsApi


class Monitoring:
    """CloudWatch's metrics and alarms.

    Attributes:
        log_metrics: Takes events of logs, for the metrics in them.

    Args:
        clock: Passes the periods.
        stream: Takes the changes of alarms as events, and has those of builds.
        balancers: Whose traffic is published.
    """

    def __init__(self, clock: Clock, stream: EventStream, balancers: Balancers) -> None:
        self._metrics = Metrics(clock)
        self._balancers = balancers
        self.log_metrics = LogMetrics(self._metrics)
        self._alarms = StoredAlarms(clock, stream)
        self._monitor = Monitor(self._metrics, clock, self._collect, self._alarms)
        MetricsApi(self._metrics).install()
        self._alarms.install()
        stream.subscribe(self._count)

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Begin. Alarms are read and changed in this loop."""
        self._alarms.attach(loop)
        self._monitor.start()

    def stop(self) -> None:
        """Evaluate no alarm any more."""
        self._monitor.stop()

    def _collect(self, minute: int) -> None:
        for metric, samples, unit in published(self._balancers.traffic(minute)):
            self._metrics.record(metric, minute, samples, unit)

    def _count(self, event: Event) -> None:
        for metric in counted(event):
            self._metrics.record(metric, self._metrics.period_at(self._metrics.now()), Samples.of({1: 1}), "Count")
