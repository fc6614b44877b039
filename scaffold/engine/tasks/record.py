"""A service that runs, with its tasks and what API and load balancers say about it."""

from __future__ import annotations

from dataclasses import dataclass, field

from scaffold.engine.balancer.health import TargetHealth
from scaffold.engine.tasks.documents import Document
from scaffold.engine.tasks.runner import Runner
from scaffold.engine.tasks.service import Health, Rules, Service


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

    @property
    def busy(self) -> bool:
        """Whether something can happen because time passes."""
        return not self.state.steady and (not self.deleted or bool(self.state.tasks))


def health_of(health: TargetHealth) -> Health:
    """The health of a task by that of its target."""
    return {"healthy": Health.HEALTHY, "unhealthy": Health.UNHEALTHY}.get(health.state, Health.UNKNOWN)


def rules_of(settings: Document) -> Rules:
    """The deployment rules of a service with these settings."""
    configuration = settings.get("deploymentConfiguration") or {}
    breaker = configuration.get("deploymentCircuitBreaker") or {}
    return Rules(
        minimum_percent=int(configuration.get("minimumHealthyPercent", 100)),
        maximum_percent=int(configuration.get("maximumPercent", 200)),
        breaker=bool(breaker.get("enable")),
        rollback=bool(breaker.get("rollback")),
        grace=float(settings.get("healthCheckGracePeriodSeconds") or 0),
    )
