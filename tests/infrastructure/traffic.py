"""Minutes of traffic, and what an Application Load Balancer publishes about them.

From "CloudWatch metrics for your Application Load Balancer": host counts, RequestCount and HTTPCode_Target_5XX_Count
are reported "if there are registered targets", the others if "there is a nonzero value". RequestCount counts "requests
where the load balancer node was able to choose a target". HTTPCode_ELB_5XX_Count has no dimension TargetGroup.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from scaffold.engine.metrics.metric_math import Series


@dataclass(frozen=True)
class Group:
    """A minute of a target group.

    Attributes:
        requests: Requests for which the load balancer chose one of its targets.
        errors: Those that a target answered with 5xx.
        refused: Connections that its targets refused.
        seconds: The 95th percentile of the response times; 0 without any response.
        healthy: Registered targets that are healthy.
        unhealthy: Registered targets that are not.
    """

    requests: int = 0
    errors: int = 0
    refused: int = 0
    seconds: float = 0.05
    healthy: int = 2
    unhealthy: int = 0


EMPTY = Group(healthy=0)


@dataclass(frozen=True)
class Minute:
    """A minute of a load balancer with two target groups.

    Attributes:
        primary: The target group that a new service starts with.
        alternate: The other one.
        unanswered: Requests that the load balancer answers itself, with 502, 503 or 504.
    """

    primary: Group = field(default_factory=Group)
    alternate: Group = EMPTY
    unanswered: int = 0

    @property
    def swapped(self) -> Minute:
        """The same with the target groups in each other's place."""
        return replace(self, primary=self.alternate, alternate=self.primary)


def canary(percent: int, **fault: Any) -> Minute:
    """A thousand requests, some percent of them for the new version in the alternate target group."""
    new = Group(requests=10 * percent)
    return Minute(Group(requests=1000 - new.requests), replace(new, **fault))


# What an alarm of a deployment must see, with the alarms that must see it.
FAULTS: dict[str, tuple[Minute, set[str]]] = {
    "a canary of 10 % that fails a tenth of its requests": (canary(10, errors=10), {"5xx"}),
    "a canary of 3 % that fails a fifth of its requests": (canary(3, errors=6), {"5xx"}),
    "a canary of 3 % that fails all its requests": (canary(3, errors=30), {"5xx"}),
    "a rolling release whose new tasks fail": (Minute(Group(requests=1000, errors=500)), {"5xx"}),
    "a canary that refuses connections": (
        replace(canary(3, refused=30, seconds=0), unanswered=30),
        {"5xx", "load-balancer-5xx"},
    ),
    "refused connections that RequestCount leaves out": (
        replace(canary(3, requests=0, refused=30, seconds=0), unanswered=30),
        {"5xx", "load-balancer-5xx"},
    ),
    "a canary of 3 % that never answers": (replace(canary(3, seconds=0), unanswered=30), {"load-balancer-5xx"}),
    "a slow canary": (canary(3, seconds=3), {"latency"}),
    "an unhealthy target": (canary(10, healthy=1, unhealthy=1), {"unhealthy"}),
}
# What only people hear about, or together with a deployment.
OUTAGES: dict[str, tuple[Minute, set[str]]] = {
    "no registered target, with traffic": (
        Minute(EMPTY, EMPTY, unanswered=50),
        {"load-balancer-5xx", "no-healthy-task"},
    ),
    "no registered target, without traffic": (Minute(EMPTY, EMPTY), {"no-healthy-task"}),
    "no healthy target, without traffic": (
        Minute(Group(healthy=0, unhealthy=2)),
        {"unhealthy", "no-healthy-task"},
    ),
}
# What no alarm may fire on.
QUIET: dict[str, Minute] = {
    "no traffic": Minute(),
    "one error among ten requests": Minute(Group(requests=10, errors=1)),
    "two errors among two requests": Minute(Group(requests=2, errors=2)),
    "one error among ten requests to a canary": canary(1, errors=1),
    "4 % errors": Minute(Group(requests=1000, errors=40)),
    "two unanswered requests among ten": Minute(Group(requests=10), unanswered=2),
    "five unanswered requests among a thousand": Minute(Group(requests=1000), unanswered=5),
    "both versions run, only one has traffic": Minute(Group(requests=1000), Group()),
}


def published(
    service: Mapping[str, Any], minutes: Sequence[Minute], sparse: bool = False
) -> Callable[[Mapping[str, Any]], Series]:
    """What CloudWatch has for the MetricStat of an alarm; nothing of CPU and memory, which are not played.

    Args:
        service: The resolved properties of the ECS service, which names the two target groups.
        minutes: The minutes, from the first on.
        sparse: Whether zero is not reported either: what the documentation says has changed over the years.
    """
    (balancer,) = service["LoadBalancers"]
    groups = {
        balancer["TargetGroupArn"].rpartition(":")[2]: "primary",
        balancer["AdvancedConfiguration"]["AlternateTargetGroupArn"].rpartition(":")[2]: "alternate",
    }

    def series(metric: Mapping[str, Any]) -> Series:
        dimensions = {item["Name"]: item["Value"] for item in metric["Metric"]["Dimensions"]}
        if metric["Metric"]["Namespace"] == "AWS/ECS":
            return {}
        group = groups[dimensions["TargetGroup"]] if "TargetGroup" in dimensions else ""
        assert set(dimensions) - {"TargetGroup"} == {"LoadBalancer"}
        assert (metric["Metric"]["Namespace"], metric["Period"]) == ("AWS/ApplicationELB", 60)
        found = {}
        for number, minute in enumerate(minutes):
            value = _value(metric["Metric"]["MetricName"], metric["Stat"], group, minute, sparse)
            if value is not None:
                found[number] = float(value)
        return found

    return series


def _value(name: str, statistic: str, group: str, minute: Minute, sparse: bool) -> float | None:
    """The data point of a minute, None for no data point."""
    here: list[Group] = [getattr(minute, group)] if group else [minute.primary, minute.alternate]
    registered = any(one.healthy + one.unhealthy for one in here)

    def counted(value: float) -> float | None:
        return value if registered and (value or not sparse) else None

    match name, statistic, bool(group):
        case "RequestCount", "Sum", _:
            return counted(sum(one.requests for one in here))
        case "HTTPCode_Target_5XX_Count", "Sum", _:
            return counted(sum(one.errors for one in here))
        case "TargetConnectionErrorCount", "Sum", _:
            return sum(one.refused for one in here) or None
        case "HTTPCode_ELB_5XX_Count", "Sum", False:
            return minute.unanswered or None
        case "TargetResponseTime", "p95", True:
            return here[0].seconds if here[0].requests and here[0].seconds else None
        case "HealthyHostCount", "Maximum", True:
            return here[0].healthy if registered else None
        case "UnHealthyHostCount", "Maximum", True:
            return here[0].unhealthy if registered else None
    raise ValueError(f"there is no {statistic} of {name} for {'a target group' if group else 'a load balancer'}")
