"""The monthly estimate that a kit computes from its dated price file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Estimate:
    """The monthly cost of an idle service.

    Attributes:
        total_usd: The sum.
        parts: Title and cost of each environment, and of the resources that they share.
        as_of: The date of the prices.
        region: The region of the prices.
    """

    total_usd: float
    parts: tuple[tuple[str, float], ...]
    as_of: str
    region: str

    def text(self) -> str:
        """The estimate as a table."""
        rows = [*self.parts, ("Total", self.total_usd)]
        width = max(len(title) for title, _ in rows)
        prices = f"list prices of {self.region}, {self.as_of}; traffic comes on top"
        lines = [f"  {title:<{width}}  {usd:>9.2f}" for title, usd in rows]
        return "\n".join([f"About {self.total_usd:.2f} USD a month ({prices})", *lines])


def read_estimate(computed: Mapping[str, Any]) -> Estimate | None:
    """The estimate among a kit's computed values; None if the kit has none."""
    costs = computed.get("monthly_costs")
    if not isinstance(costs, Mapping) or "total_usd" not in costs:
        return None
    parts = [*costs.get("environments", ()), *([costs["shared"]] if "shared" in costs else [])]
    return Estimate(
        total_usd=float(costs["total_usd"]),
        parts=tuple((str(part["title"]), float(part["usd"])) for part in parts),
        as_of=str(costs.get("as_of", "")),
        region=str(costs.get("region", "")),
    )
