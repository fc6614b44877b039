"""What load balancers are configured to do, read from documents in the form of ELB's API."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from scaffold.engine.balancer.health import Checks, checks_of
from scaffold.engine.balancer.rules import Rule, weighted_groups

#: The IP address and port of a target, as they are registered.
Address = tuple[str, int]

_DELAY = "deregistration_delay.timeout_seconds"
_DEFAULT_DELAY = 300.0


@dataclass(frozen=True)
class Listener:
    """A listener with its rules."""

    arn: str
    load_balancer: str
    port: int
    protocol: str
    rules: tuple[Rule, ...]

    @property
    def groups(self) -> set[str]:
        """The target groups that it sends requests to."""
        return {
            group["TargetGroupArn"]
            for rule in self.rules
            for action in rule.actions
            for group in weighted_groups(action)
        }

    @property
    def pairs(self) -> set[tuple[str, str]]:
        """Its load balancer with each of these target groups."""
        return {(self.load_balancer, group) for group in self.groups}


@dataclass(frozen=True)
class TargetGroup:
    """A target group.

    Attributes:
        delay: The deregistration delay in seconds.
        in_use: Whether a listener sends requests to it.
    """

    arn: str
    checks: Checks
    delay: float
    targets: frozenset[Address]
    in_use: bool


@dataclass(frozen=True)
class Configuration:
    """The load balancers of a region. Listeners are in the order of their ports."""

    load_balancers: frozenset[str] = frozenset()
    listeners: tuple[Listener, ...] = ()
    groups: tuple[TargetGroup, ...] = ()


Document = Mapping[str, Any]


def read(
    load_balancers: Iterable[Document],
    listeners: Iterable[Document],
    rules: Iterable[Document],
    groups: Iterable[tuple[Document, Iterable[Document], Iterable[Document]]],
) -> Configuration:
    """The configuration of a region.

    Args:
        groups: Each target group with its attributes and its targets.
    """
    by_listener: dict[str, list[Rule]] = {}
    for rule in rules:
        number = None if rule["Priority"] == "default" else int(rule["Priority"])
        own = by_listener.setdefault(rule["ListenerArn"], [])
        own.append(Rule(number, tuple(rule["Conditions"]), tuple(rule["Actions"])))
    found = [
        Listener(
            one["ListenerArn"],
            one["LoadBalancerArn"],
            int(one["Port"]),
            one["Protocol"],
            tuple(by_listener.get(one["ListenerArn"], ())),
        )
        for one in listeners
    ]
    used = {group for listener in found for group in listener.groups}
    return Configuration(
        frozenset(one["LoadBalancerArn"] for one in load_balancers),
        tuple(sorted(found, key=lambda one: (one.port, one.arn))),
        tuple(_group(group, attributes, targets, used) for group, attributes, targets in groups),
    )


def _group(group: Document, attributes: Iterable[Document], targets: Iterable[Document], used: set[str]) -> TargetGroup:
    delays = [float(one["Value"]) for one in attributes if one["Key"] == _DELAY]
    addresses = frozenset((one["Id"], int(one.get("Port", group["Port"]))) for one in targets)
    arn = group["TargetGroupArn"]
    return TargetGroup(arn, checks_of(dict(group)), [*delays, _DEFAULT_DELAY][0], addresses, arn in used)
