"""The health of a target, as a pure state machine."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

_REASONS = {
    "initial": ("Elb.RegistrationInProgress", "Target registration is in progress"),
    "draining": ("Target.DeregistrationInProgress", "Target deregistration is in progress"),
    "unused": ("Target.NotInUse", "Target group is not configured to receive traffic from the load balancer"),
}


@dataclass(frozen=True)
class Checks:
    """The health check settings of a target group, in seconds."""

    path: str
    port: str
    interval: float
    timeout: float
    healthy_threshold: int
    unhealthy_threshold: int
    matcher: str


@dataclass(frozen=True)
class TargetHealth:
    """The health of a target.

    Attributes:
        state: As DescribeTargetHealth returns it.
        streak: The checks in a row that contradict the state.
        failing_since: When the checks of an initial target began to fail.
    """

    state: str = "initial"
    reason: str = _REASONS["initial"][0]
    description: str = _REASONS["initial"][1]
    streak: int = 0
    failing_since: float | None = None


def describe(state: str) -> TargetHealth:
    """A state that no check decides."""
    return TargetHealth(state, *_REASONS[state])


def observe(health: TargetHealth, problem: tuple[str, str] | None, checks: Checks, now: float) -> TargetHealth:
    """The health after a check.

    Args:
        problem: Reason and description of a failure; None for a success.
    """
    if health.state == "draining":
        return health
    if problem is None:
        needed = checks.healthy_threshold if health.state == "unhealthy" else 1
        if health.state == "healthy" or health.streak + 1 >= needed:
            return TargetHealth("healthy", "", "")
        return replace(health, streak=health.streak + 1)
    if health.state == "unhealthy":
        return TargetHealth("unhealthy", *problem)
    if health.state == "initial":
        # An initial target is checked more often than the interval says, so time decides and not the number.
        since = now if health.failing_since is None else health.failing_since
        if now - since >= checks.interval * (checks.unhealthy_threshold - 1):
            return TargetHealth("unhealthy", *problem)
        return replace(health, failing_since=since)
    if health.streak + 1 >= checks.unhealthy_threshold:
        return TargetHealth("unhealthy", *problem)
    return replace(health, streak=health.streak + 1)


def problem_of(status: int, checks: Checks) -> tuple[str, str] | None:
    """Why a status code does not count as healthy; None if it does."""
    for part in checks.matcher.split(","):
        low, _, high = part.partition("-")
        if int(low) <= status <= int(high or low):
            return None
    return "Target.ResponseCodeMismatch", f"Health checks failed with these codes: [{status}]"


TIMED_OUT = ("Target.Timeout", "Request timed out")
FAILED = ("Target.FailedHealthChecks", "Health checks failed")


def checks_of(group: dict[str, Any]) -> Checks:
    """The health check settings of a target group in the form of the API."""
    return Checks(
        path=group["HealthCheckPath"],
        port=str(group["HealthCheckPort"]),
        interval=float(group["HealthCheckIntervalSeconds"]),
        timeout=float(group["HealthCheckTimeoutSeconds"]),
        healthy_threshold=int(group["HealthyThresholdCount"]),
        unhealthy_threshold=int(group["UnhealthyThresholdCount"]),
        matcher=str(group["Matcher"].get("HttpCode", "200")),
    )
