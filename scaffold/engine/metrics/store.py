"""The metrics of a local AWS, by the minute."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass

from scaffold.engine.clock import Clock
from scaffold.engine.metrics.expressions import NotRehearsed
from scaffold.engine.metrics.metric_math import Series
from scaffold.engine.metrics.samples import Samples, check_statistic

MINUTE = 60
#: For so many minutes each metric is kept.
KEPT = 24 * 60


@dataclass(frozen=True)
class Metric:
    """A metric, which has its dimensions as a part of its name.

    Attributes:
        dimensions: In the order of their names.
    """

    region: str
    namespace: str
    name: str
    dimensions: tuple[tuple[str, str], ...] = ()

    @classmethod
    def of(cls, region: str, namespace: str, name: str, dimensions: Mapping[str, str]) -> Metric:
        """A metric with dimensions in any order."""
        return cls(region, namespace, name, tuple(sorted(dimensions.items())))


class Metrics:
    """What was published. May be used from any thread.

    Periods are numbered from the epoch on. Moments are real, and the clock shortens the periods.

    Args:
        clock: Passes the minutes.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._minutes: dict[Metric, dict[int, Samples]] = {}
        self._units: dict[Metric, str] = {}

    def now(self) -> float:
        """Seconds since the epoch."""
        return self._clock.now()

    def period_at(self, moment: float, period: int = MINUTE) -> int:
        """The number of the period in which a moment lies."""
        return self._clock.period_at(moment, period)

    def start_of(self, number: int, period: int = MINUTE) -> float:
        """When a period begins."""
        return number * self._clock.shortened(period)

    def record(self, metric: Metric, minute: int, samples: Samples, unit: str = "None") -> None:
        """Add values to a minute."""
        with self._lock:
            minutes = self._minutes.setdefault(metric, {})
            minutes[minute] = minutes[minute] + samples if minute in minutes else samples
            self._units[metric] = unit
            while len(minutes) > KEPT:
                del minutes[min(minutes)]

    def samples(self, metric: Metric, period: int, numbers: range) -> dict[int, Samples]:
        """What was published in each of some periods, by their numbers.

        Raises:
            NotRehearsed: The period is not a multiple of a minute.
        """
        if period <= 0 or period % MINUTE:
            raise NotRehearsed(f"a period of {period} seconds")
        length = period // MINUTE
        found: dict[int, Samples] = {}
        with self._lock:
            minutes = self._minutes.get(metric, {})
            for minute in sorted(minutes):
                number = minute // length
                if number in numbers:
                    found[number] = found[number] + minutes[minute] if number in found else minutes[minute]
        return found

    def series(self, metric: Metric, statistic: str, period: int, numbers: range) -> Series:
        """The data points of a statistic in some periods.

        Raises:
            NotRehearsed: The statistic, or the period.
        """
        check_statistic(statistic)
        values = {n: found.statistic(statistic) for n, found in self.samples(metric, period, numbers).items()}
        return {number: value for number, value in values.items() if value is not None}

    def unit(self, metric: Metric) -> str:
        """The unit in which a metric was published last."""
        with self._lock:
            return self._units.get(metric, "None")

    def known(self, region: str) -> list[Metric]:
        """The metrics of a region."""
        with self._lock:
            return [metric for metric in self._minutes if metric.region == region]
