"""A service that runs, with its tasks and what API and load balancers say about it."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from scaffold.engine.balancer.health import TargetHealth
from scaffold.engine.clock import Clock
from scaffold.engine.tasks.documents import Document
from scaffold.engine.tasks.rollout import ROLLING, Strategy
from scaffold.engine.tasks.runner import Runner
from scaffold.engine.tasks.service import Health, Rules, Service


class DeploymentFailed(Exception):
    """A deployment has failed."""


@dataclass
class Record:
    """A service with its tasks."""

    settings: Document
    definitions: dict[str, Document]
    state: Service
    deleted: bool = False
    events: list[Document] = field(default_factory=list)
    tasks: dict[str, Document] = field(default_factory=dict)
    runners: dict[str, Runner] = field(default_factory=dict)

    @property
    def region(self) -> str:
        """The service's region."""
        return str(self.settings["serviceArn"].split(":")[3])

    def target_groups(self, group: int) -> tuple[tuple[str, str, int], ...]:
        """The target groups of tasks, each with the name and the port of the container that is its target.

        Args:
            group: 1 for the alternate target groups.
        """
        found = []
        for one in self.settings.get("loadBalancers", []):
            alternate = (one.get("advancedConfiguration") or {}).get("alternateTargetGroupArn")
            arn = alternate if group and alternate else one["targetGroupArn"]
            found.append((arn, one["containerName"], int(one["containerPort"])))
        return tuple(found)

    @property
    def newest(self) -> str:
        """The ARN of the newest task definition, which a rollback does not change."""
        return max(self.definitions, key=lambda arn: int(arn.rpartition(":")[2]))

    @property
    def busy(self) -> bool:
        """Whether something can happen because time passes."""
        return not self.state.steady and (not self.deleted or bool(self.state.tasks))

    def settled(self, deployment: str | None) -> bool:
        """Whether a deployment has ended, or without one whether the service is steady.

        Raises:
            DeploymentFailed: It failed, or another one has taken its place.
        """
        state = self.state
        if deployment is None:
            if state.primary.rollout == "FAILED":
                raise DeploymentFailed(state.primary.reason)
            return state.steady or self.deleted
        for one in (*state.deployments, *state.history):
            if one.identifier == deployment:
                if one.rollout == "FAILED" or one.status == "STOPPED":
                    raise DeploymentFailed(one.reason)
                return one.rollout == "COMPLETED"
        raise DeploymentFailed("")


def health_of(health: TargetHealth) -> Health:
    """The health of a task by that of its target."""
    return {"healthy": Health.HEALTHY, "unhealthy": Health.UNHEALTHY}.get(health.state, Health.UNKNOWN)


def rules_of(settings: Document, clock: Clock) -> Rules:
    """The deployment rules of a service with these settings, with the waits as long as the clock lets them be."""
    configuration = settings.get("deploymentConfiguration") or {}
    breaker = configuration.get("deploymentCircuitBreaker") or {}
    return Rules(
        minimum_percent=int(configuration.get("minimumHealthyPercent", 100)),
        maximum_percent=int(configuration.get("maximumPercent", 200)),
        breaker=bool(breaker.get("enable")),
        rollback=bool(breaker.get("rollback")),
        grace=float(settings.get("healthCheckGracePeriodSeconds") or 0),
        strategy=_strategy_of(configuration, bool(test_rules(settings)), clock),
    )


def test_rules(settings: Document) -> list[str]:
    """The test listener rules of a service with these settings."""
    advanced = [one.get("advancedConfiguration") or {} for one in settings.get("loadBalancers", [])]
    return [one["testListenerRule"] for one in advanced if one.get("testListenerRule")]


def _strategy_of(configuration: Document, tests: bool, clock: Clock) -> Strategy:
    name, alarms = configuration.get("strategy") or ROLLING.name, configuration.get("alarms") or {}

    def wait(minutes: float) -> float:
        return clock.shortened(60.0 * float(minutes))

    match name:
        case "CANARY":
            given = configuration.get("canaryConfiguration") or {}
            percent, minutes = given.get("canaryPercent", 5.0), given.get("canaryBakeTimeInMinutes", 10)
            shifts = [(float(percent), wait(minutes)), (100.0, 0.0)]
        case "LINEAR":
            given = configuration.get("linearConfiguration") or {}
            percent, minutes = float(given.get("stepPercent", 10.0)), given.get("stepBakeTimeInMinutes", 6)
            steps = math.ceil(100 / percent)
            shifts = [(round(percent * step, 1), wait(minutes)) for step in range(1, steps)] + [(100.0, 0.0)]
        case "BLUE_GREEN":
            shifts = [(100.0, 0.0)]
        case _:
            shifts = []
    watched = alarms.get("alarmNames", []) if alarms.get("enable") else []
    bake = wait(configuration.get("bakeTimeInMinutes") or 0)
    hooks = configuration.get("lifecycleHooks") or []
    pauses = [wait(one["timeoutConfiguration"]["timeoutInMinutes"]) for one in hooks]
    pause = pauses[0] if pauses else None
    return Strategy(name, tuple(shifts), bake, tuple(watched), bool(alarms.get("rollback")), tests, pause)
