"""The environments that the answers of a service name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from scaffold.core.results import Result
from scaffold.kit.estimate import Estimate


@dataclass(frozen=True)
class Environment:
    """An environment as the kit computes it; None for what the kit does not compute.

    Attributes:
        production: Whether it is production, or is treated like it.
        approval: Whether a person approves its releases.
        cpu: In CPU units, of which a vCPU has 1,024.
        memory: In MiB.
        monthly_usd: The estimated cost without traffic.
    """

    name: str
    production: bool | None
    approval: bool | None
    cpu: int | None
    memory: int | None
    min_tasks: int | None
    max_tasks: int | None
    monthly_usd: float | None


@dataclass(frozen=True)
class EnvironmentsResult(Result):
    """The environments of a service.

    Attributes:
        environments: In order of promotion.
        production: None with a kit that does not ask for it.
        monthly_usd: The estimated cost of the service without traffic.
    """

    command: ClassVar[str] = "env list"

    service: str
    environments: tuple[Environment, ...]
    production: str | None
    monthly_usd: float | None


def environments_of(computed: Mapping[str, Any], estimate: Estimate | None) -> tuple[Environment, ...]:
    """The environments of the values that the kit computes."""
    # The parts of an estimate begin with the environments, in their order.
    costs = [usd for _, usd in estimate.parts] if estimate else []
    return tuple(
        Environment(
            name=one["name"],
            production=one.get("production"),
            approval=one.get("approval"),
            cpu=one.get("cpu"),
            memory=one.get("memory"),
            min_tasks=one.get("min_tasks"),
            max_tasks=one.get("max_tasks"),
            monthly_usd=costs[number] if number < len(costs) else None,
        )
        for number, one in enumerate(computed.get("environment_settings") or ())
    )
