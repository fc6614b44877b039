"""The monthly estimate that a kit computes from its dated price file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Line:
    """What one resource, or several of a kind, cost a month.

    Attributes:
        kind: `compute`, `network`, `monitoring`, `releases` or `traffic`.
    """

    kind: str
    name: str
    usd: float


@dataclass(frozen=True)
class Part:
    """What an environment costs a month, or what the environments share.

    Attributes:
        name: The environment's; `shared` for what they share.
        title: What people read.
    """

    name: str
    title: str
    usd: float
    lines: tuple[Line, ...]


@dataclass(frozen=True)
class Costs:
    """The monthly costs of a service by resource.

    Attributes:
        parts: The environments in their order, then what they share.
        as_of: The date of the prices.
        region: The region of the prices.
    """

    total_usd: float
    parts: tuple[Part, ...]
    as_of: str
    region: str


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
    costs = read_costs(computed)
    if costs is None:
        return None
    parts = tuple((part.title, part.usd) for part in costs.parts)
    return Estimate(costs.total_usd, parts, costs.as_of, costs.region)


def profiles(computed: Mapping[str, Any]) -> list[str]:
    """The traffic for which a kit estimates too, such as `low`; empty if it knows none."""
    costs = computed.get("monthly_costs")
    return list(costs.get("with_traffic") or ()) if isinstance(costs, Mapping) else []


def read_costs(computed: Mapping[str, Any], traffic: str | None = None) -> Costs | None:
    """The costs among a kit's computed values; None if the kit has none.

    Args:
        traffic: One of `profiles`; None for a service without traffic.
    """
    costs = computed.get("monthly_costs")
    if isinstance(costs, Mapping) and traffic is not None:
        costs = costs["with_traffic"][traffic]
    if not isinstance(costs, Mapping) or "total_usd" not in costs:
        return None
    found = [*costs.get("environments", ()), *([costs["shared"]] if "shared" in costs else [])]
    return Costs(
        total_usd=float(costs["total_usd"]),
        parts=tuple(_part(part) for part in found),
        as_of=str(costs.get("as_of", "")),
        region=str(costs.get("region", "")),
    )


def _part(found: Mapping[str, Any]) -> Part:
    lines = tuple(Line(str(one["kind"]), str(one["name"]), float(one["usd"])) for one in found.get("lines", ()))
    return Part(str(found.get("name", "")), str(found["title"]), float(found["usd"]), lines)
