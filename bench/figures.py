"""What a benchmark prints that is no ratio of two commands."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Figure:
    """A number with the highest acceptable one.

    Attributes:
        name: The name by which it is asked for.
        what: What is counted, with its unit.
    """

    name: str
    what: str
    value: float
    limit: float

    @property
    def exceeded(self) -> bool:
        """Whether it is higher than acceptable."""
        return self.value > self.limit
