"""What was published of a metric in a period, and its statistics."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from scaffold.engine.metrics.expressions import NotRehearsed

_PERCENTILE = re.compile(r"p(100|\d{1,2}(?:\.\d{1,10})?)")
_BASIC = ("SampleCount", "Sum", "Average", "Minimum", "Maximum")


@dataclass(frozen=True, slots=True)
class Samples:
    """The values of a metric.

    Attributes:
        count: How many there are.
        total: Their sum.
        values: Each value with how often it occurs, in ascending order; None where only the statistics were published.
    """

    count: float
    total: float
    minimum: float
    maximum: float
    values: tuple[tuple[float, float], ...] | None

    @classmethod
    def of(cls, values: Mapping[float, float]) -> Samples:
        """Samples from how often each value occurs, at least one."""
        ordered = tuple(sorted(values.items()))
        total = sum(value * times for value, times in ordered)
        return cls(sum(times for _, times in ordered), total, ordered[0][0], ordered[-1][0], ordered)

    def __add__(self, other: Samples) -> Samples:
        """The samples of both."""
        if self.values is not None and other.values is not None:
            together: Counter[float] = Counter()
            for value, times in (*self.values, *other.values):
                together[value] += times  # type: ignore[assignment]
            return Samples.of(together)
        least, most = min(self.minimum, other.minimum), max(self.maximum, other.maximum)
        return Samples(self.count + other.count, self.total + other.total, least, most, None)

    def statistic(self, name: str) -> float | None:
        """A statistic by its name, such as `Sum` or `p95`; None where the values do not allow it.

        Raises:
            NotRehearsed: It is another one.
        """
        match name:
            case "SampleCount":
                return self.count
            case "Sum":
                return self.total
            case "Average":
                return self.total / self.count
            case "Minimum":
                return self.minimum
            case "Maximum":
                return self.maximum
        return self._percentile(percentile_of(name))

    def _percentile(self, percent: float) -> float | None:
        """A percentile, interpolated between the two values nearest to it.

        There is none with negative values, nor with a set of statistics of different values.
        """
        if self.minimum < 0 or (self.values is None and self.minimum != self.maximum):
            return None
        rank = percent / 100 * (self.count - 1)
        below, above = self._at(int(rank)), self._at(int(rank) + 1)
        return below + (rank - int(rank)) * (above - below)

    def _at(self, index: int) -> float:
        passed = 0.0
        for value, times in self.values or ():
            passed += times
            if index < passed:
                return value
        return self.maximum


def check_statistic(name: str) -> None:
    """Accept the name of a statistic.

    Raises:
        NotRehearsed: It is not one that is rehearsed.
    """
    if name not in _BASIC:
        percentile_of(name)


def percentile_of(name: str) -> float:
    """The number of a percentile's name.

    Raises:
        NotRehearsed: It is not the name of one.
    """
    found = _PERCENTILE.fullmatch(name)
    if found is None:
        raise NotRehearsed(f"the statistic {name}")
    return float(found[1])
