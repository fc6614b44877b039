"""Publishes what happens to services and tasks, in the form of ECS's events."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from scaffold.engine.clock import Clock
from scaffold.engine.events import Event, EventStream
from scaffold.engine.tasks.service import RolloutChanged


@dataclass(frozen=True)
class Announcer:
    """Publishes events of ECS."""

    events: EventStream
    clock: Clock

    def rollout(self, settings: dict[str, Any], change: RolloutChanged) -> None:
        """The rollout state of a service's deployment has changed."""
        now = self.clock.now()
        detail = {
            "eventType": "ERROR" if change.name.endswith("FAILED") else "INFO",
            "eventName": change.name,
            "clusterArn": settings["clusterArn"],
            "deploymentId": change.deployment,
            "updatedAt": _iso(now),
            "reason": change.reason,
        }
        self._publish("ECS Deployment State Change", settings["serviceArn"], detail, now)

    def pause(self, settings: dict[str, Any], deployment: str) -> None:
        """A service's deployment waits for a decision."""
        now = self.clock.now()
        detail = {
            "eventType": "INFO",
            "eventName": "HOOK_AWAITING_ACTION",
            "clusterArn": settings["clusterArn"],
            "deploymentId": deployment,
            "updatedAt": _iso(now),
        }
        self._publish("ECS Hook State Change", settings["serviceArn"], detail, now)

    def task(self, document: dict[str, Any]) -> None:
        """A task has changed."""
        detail = {key: _iso(value) if key.endswith("At") else value for key, value in document.items()}
        detail["containers"] = [dict(one) for one in document["containers"]]
        self._publish("ECS Task State Change", document["taskArn"], detail, self.clock.now())

    def _publish(self, name: str, resource: str, detail: dict[str, Any], now: float) -> None:
        self.events.publish(Event("aws.ecs", name, resource.split(":")[3], detail, (resource,), now))


def _iso(moment: float) -> str:
    """A moment as events have it; ECS's API has seconds since the epoch."""
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
