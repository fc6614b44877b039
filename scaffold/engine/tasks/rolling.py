"""Which tasks rolling deployments start and stop: between minimum and maximum of the deployment configuration."""

from __future__ import annotations

import math

from scaffold.engine.tasks.edits import live, start, stop, stop_surplus, usable
from scaffold.engine.tasks.service import Effect, Service


def most_tasks(service: Service) -> int:
    """How many tasks may run during a rolling deployment."""
    return math.floor(service.desired * service.rules.maximum_percent / 100)


def start_tasks(service: Service, now: float, effects: list[Effect]) -> Service:
    """Start tasks of the primary deployment."""
    primary = service.primary
    if primary.rollout == "FAILED" or now < service.pause_until:
        return service
    missing = service.desired - len(usable(service, primary, now))
    return start(service, primary, min(missing, most_tasks(service) - len(live(service))), effects)


def stop_tasks(service: Service, now: float, effects: list[Effect]) -> Service:
    """Stop tasks of older deployments as far as enough healthy ones are left, and tasks above the desired count."""
    primary = service.primary
    least = math.ceil(service.desired * service.rules.minimum_percent / 100)
    healthy = sum(task.healthy for task in service.tasks)
    old = [task for task in live(service) if task.deployment != primary.identifier]
    for task in sorted(old, key=lambda one: one.healthy):
        if task.healthy and healthy - 1 < least:
            break
        healthy -= task.healthy
        service = stop(service, [task], effects)
    return stop_surplus(service, primary, now, effects)
