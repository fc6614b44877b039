"""What an environment costs a month without traffic, from the sizes and numbers in its files."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aws_cli import Problem
from source_files import exists, text

# In `infrastructure/ENVIRONMENT/`.
TASK_DEFINITION = "task-definition.yaml"
SIZE = re.compile(r"^( *)(Cpu|Memory): *'?([0-9]{1,6})'? *$", re.MULTILINE)
NUMBER = re.compile("[0-9]{1,4}")


@dataclass(frozen=True)
class Prices:
    """The list prices of `config/prices.json`, in USD."""

    hours_per_month: float
    vcpu_hour: float
    gb_hour: float
    spot_discount: float
    load_balancer_hour: float
    nat_gateway_hour: float
    public_ipv4_hour: float
    zones: int

    @classmethod
    def read(cls) -> Prices:
        """Those of this source.

        Raises:
            Problem: The file cannot be read.
        """
        try:
            found = json.loads(text("config/prices.json"))
            return cls(**{name: found[name] for name in cls.__dataclass_fields__})
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise Problem("config/prices.json cannot be read; restore it") from error


def monthly(environment: str, prices: Prices, root: Path) -> float | None:
    """Its tasks at their minimum number, load balancer, public IPv4 addresses and NAT gateway.

    Args:
        root: The folder of the source.

    Returns:
        None where the files do not say it as the kit writes it.
    """
    folder = f"infrastructure/{environment}"
    try:
        service, network = (_parameters(f"{folder}/{kind}.json", root) for kind in ("service", "environment"))
        size = _task_size(text(f"{folder}/{TASK_DEFINITION}", root))
        tasks, spot, egress = (str(service.get(name)) for name in ("MinTasks", "Spot", "Egress"))
        if size is None or not NUMBER.fullmatch(tasks):
            return None
        own_network = exists(f"{folder}/network.json", root)
        zones = prices.zones if own_network else len(str(network["PublicSubnetIds"]).split(","))
    except (Problem, OSError, ValueError, KeyError, TypeError, RecursionError):
        return None
    count = int(tasks)
    on_spot = {"above_first": max(count - 1, 0), "true": count}.get(spot, 0)
    task_hour = size[0] / 1024 * prices.vcpu_hour + size[1] / 1024 * prices.gb_hour
    nat = egress == "nat_gateway"
    addresses = zones + (1 if nat else count if egress == "public_ip" else 0)
    hour = (
        (count - on_spot * prices.spot_discount) * task_hour
        + prices.load_balancer_hour
        + addresses * prices.public_ipv4_hour
        + nat * prices.nat_gateway_hour
    )
    return round(hour * prices.hours_per_month, 2)


def _parameters(file: str, root: Path) -> dict[str, Any]:
    found = json.loads(text(file, root))["Parameters"]
    return dict(found)


def _task_size(template: str) -> tuple[int, int] | None:
    """CPU units and MiB of the task, which are indented less than those of its containers."""
    found: dict[str, tuple[int, int]] = {}
    for indent, name, value in SIZE.findall(template):
        if name not in found or len(indent) < found[name][0]:
            found[name] = (len(indent), int(value))
    return (found["Cpu"][1], found["Memory"][1]) if len(found) == len(("Cpu", "Memory")) else None
