"""Changes of a service that rolling deployments and those that shift traffic have in common."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import replace

from scaffold.engine.tasks.rollout import Deployment
from scaffold.engine.tasks.service import Effect, Service, StartTask, StopTask, Task


def edit_task(service: Service, identifier: str, **changes: object) -> Service:
    """Change a task."""
    tasks = tuple(replace(t, **changes) if t.identifier == identifier else t for t in service.tasks)  # type: ignore[arg-type]
    return replace(service, tasks=tasks)


def edit_deployment(service: Service, identifier: str, **changes: object) -> Service:
    """Change a deployment."""
    edited = (
        replace(one, **changes) if one.identifier == identifier else one  # type: ignore[arg-type]
        for one in service.deployments
    )
    return replace(service, deployments=tuple(edited))


def live(service: Service) -> list[Task]:
    """The tasks that are not being stopped."""
    return [task for task in service.tasks if not task.stopping]


def start(service: Service, deployment: Deployment, count: int, effects: list[Effect]) -> Service:
    """Start tasks of a deployment."""
    for _ in range(count):
        number = service.launched + 1
        identifier = hashlib.sha256(f"{service.name}/{deployment.created}/{number}".encode()).hexdigest()[:32]
        effects.append(StartTask(identifier, deployment.identifier, deployment.definition, deployment.group))
        task = Task(identifier, deployment.identifier)
        service = replace(service, tasks=(*service.tasks, task), launched=number, steady=False)
    return service


def stop(service: Service, tasks: Iterable[Task], effects: list[Effect]) -> Service:
    """Stop tasks that the primary deployment does not need."""
    reason = f"Scaling activity initiated by (deployment {service.primary.identifier})"
    for task in tasks:
        effects.append(StopTask(task.identifier, reason))
        service = edit_task(service, task.identifier, stopping=True)
    return service


def usable(service: Service, deployment: Deployment, now: float) -> list[Task]:
    """The tasks of a deployment that are not being stopped and have passed their health checks so far."""
    return [task for task in service.of(deployment.identifier) if not task.unhealthy(now, service.rules.grace)]


def stop_surplus(service: Service, deployment: Deployment, now: float, effects: list[Effect]) -> Service:
    """Stop tasks of a deployment above the desired count: first those that are not healthy, then the newest."""
    newest_first = usable(service, deployment, now)[::-1]
    dispensable = sorted(newest_first, key=lambda one: one.healthy)
    return stop(service, dispensable[: max(0, len(newest_first) - service.desired)], effects)
