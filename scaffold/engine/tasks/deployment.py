"""Rolling deployments of an ECS service, as a pure state machine.

`docs/rehearsal.md` has the rules with their sources. Strategies that shift traffic are deployed like rolling ones.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import replace

from scaffold.engine.tasks.service import (
    Checked,
    Deployment,
    Effect,
    Event,
    Health,
    Message,
    RolloutChanged,
    Rules,
    Running,
    Service,
    StartTask,
    Stopped,
    StopRequested,
    StopTask,
    Task,
    Tick,
    Updated,
)

_FEWEST_FAILURES, _MOST_FAILURES = 3, 200
_LONGEST_PAUSE = 27 * 60.0
_ROLLING_BACK = "ECS deployment circuit breaker: rolling back to deploymentId {}."


def failure_threshold(desired: int) -> int:
    """How many tasks have to fail, one after the other, for the circuit breaker to end a deployment."""
    return min(max(math.ceil(desired * 0.5), _FEWEST_FAILURES), _MOST_FAILURES)


def begin(name: str, desired: int, rules: Rules, deployment: Deployment, now: float) -> tuple[Service, list[Effect]]:
    """A new service, with the effects of its first deployment."""
    service = Service(name, desired, rules, (deployment,))
    started: list[Effect] = [RolloutChanged(deployment.identifier, "SERVICE_DEPLOYMENT_IN_PROGRESS", "")]
    service, effects = step(service, Tick(), now)
    return service, started + effects


def step(service: Service, event: Event, now: float) -> tuple[Service, list[Effect]]:
    """The service after an event, and what has to be done."""
    effects: list[Effect] = []
    service = _apply(service, event, now, effects)
    service = _stop_unhealthy(service, now, effects)
    service = _break_circuit(service, now, effects)
    service = _stop_tasks(service, now, effects)
    service = _start_tasks(service, now, effects)
    return _complete(service, now, effects), effects


def _apply(service: Service, event: Event, now: float, effects: list[Effect]) -> Service:
    match event:
        case Updated():
            service = replace(service, desired=event.desired, rules=event.rules, steady=False)
            if event.deployment is None:
                return service
            older = [
                replace(one, status="STOPPED") if one.rollout == "IN_PROGRESS" else one for one in service.deployments
            ]
            effects.append(RolloutChanged(event.deployment.identifier, "SERVICE_DEPLOYMENT_IN_PROGRESS", ""))
            return replace(service, deployments=(event.deployment, *older), launch_failures=0, pause_until=0.0)
        case StopRequested():
            if service.primary.rollout != "IN_PROGRESS":
                return service
            reason = "ECS deployment was stopped by a user."
            return _fail(service, reason, event.rollback, now, effects)
        case Running():
            ready = {"running_since": now, "container": event.container, "target": event.target}
            return _note_healthy(_edit_task(service, event.task, **ready), event.task)
        case Checked():
            found = {"container": event.container, "target": event.target}
            known = {name: health for name, health in found.items() if health is not None}
            return _note_healthy(_edit_task(service, event.task, **known), event.task)
        case Stopped():
            return _remove_task(service, event, now)
        case Tick():
            return service


def _edit_task(service: Service, identifier: str, **changes: object) -> Service:
    tasks = tuple(replace(t, **changes) if t.identifier == identifier else t for t in service.tasks)  # type: ignore[arg-type]
    return replace(service, tasks=tasks)


def _note_healthy(service: Service, identifier: str) -> Service:
    """A healthy task ends the count of failures in a row."""
    for task in service.tasks:
        if task.identifier == identifier and task.healthy:
            service = replace(service, launch_failures=0, pause_until=0.0)
            return _edit_deployment(service, task.deployment, failed=0)
    return service


def _remove_task(service: Service, event: Stopped, now: float) -> Service:
    found = [task for task in service.tasks if task.identifier == event.task]
    if not found:
        return service
    (task,) = found
    rest = tuple(one for one in service.tasks if one is not task)
    service = replace(service, tasks=rest, steady=service.steady and task.stopping)
    if task.stopping or event.by_user:
        return service
    return _count_failure(service, task, now)


def _count_failure(service: Service, task: Task, now: float) -> Service:
    failures = service.launch_failures
    if not task.healthy:
        failures += 1
        pause = min(2.0 ** (failures - 1), _LONGEST_PAUSE)
        service = replace(service, launch_failures=failures, pause_until=now + pause)
    for one in service.deployments:
        if one.identifier == task.deployment and one.rollout == "IN_PROGRESS":
            return _edit_deployment(service, one.identifier, failed=one.failed + 1)
    return service


def _edit_deployment(service: Service, identifier: str, **changes: object) -> Service:
    edited = (
        replace(one, **changes) if one.identifier == identifier else one  # type: ignore[arg-type]
        for one in service.deployments
    )
    return replace(service, deployments=tuple(edited))


def _stop_unhealthy(service: Service, now: float, effects: list[Effect]) -> Service:
    """Stop unhealthy tasks: at once in a deployment, otherwise once a replacement is healthy or has no room."""
    for task in service.tasks:
        if not task.unhealthy(now, service.rules.grace):
            continue
        deploying = task.deployment == service.primary.identifier and service.primary.rollout == "IN_PROGRESS"
        healthy = sum(one.healthy for one in service.tasks)
        if not deploying and healthy < service.desired and len(_live(service)) < _most_tasks(service):
            continue
        kind = "ELB" if task.target is Health.UNHEALTHY else "container"
        effects.append(StopTask(task.identifier, f"Task failed {kind} health checks"))
        service = _count_failure(_edit_task(service, task.identifier, stopping=True), task, now)
    return service


def _break_circuit(service: Service, now: float, effects: list[Effect]) -> Service:
    primary, rules = service.primary, service.rules
    rolling_back = any(one.status == "ROLLBACK_IN_PROGRESS" for one in service.deployments)
    if not rules.breaker or rolling_back or primary.rollout != "IN_PROGRESS":
        return service
    if primary.failed < failure_threshold(service.desired):
        return service
    reason = "ECS deployment circuit breaker: tasks failed to start."
    return _fail(service, reason, rules.rollback, now, effects)


def _fail(service: Service, reason: str, rollback: bool, now: float, effects: list[Effect]) -> Service:
    """End the primary deployment; where asked and possible, return to the last completed one."""
    failed, target = service.primary, service.last if rollback else None
    status = "ROLLBACK_IN_PROGRESS" if target else "STOPPED"
    service = _edit_deployment(service, failed.identifier, rollout="FAILED", reason=reason, status=status, updated=now)
    effects.append(Message(f"(service {service.name}) (deployment {failed.identifier}) deployment failed: {reason}"))
    effects.append(RolloutChanged(failed.identifier, "SERVICE_DEPLOYMENT_FAILED", reason))
    if target is None:
        return service
    back = replace(target, rollout="IN_PROGRESS", reason=_ROLLING_BACK.format(target.identifier), failed=0, updated=now)
    others = [one for one in service.deployments if one.identifier != target.identifier]
    effects.append(Message(f"(service {service.name}) rolling back to deployment {target.identifier}."))
    effects.append(RolloutChanged(back.identifier, "SERVICE_DEPLOYMENT_IN_PROGRESS", back.reason))
    return replace(service, deployments=(back, *others), launch_failures=0, pause_until=0.0)


def _live(service: Service) -> list[Task]:
    return [task for task in service.tasks if not task.stopping]


def _most_tasks(service: Service) -> int:
    return math.floor(service.desired * service.rules.maximum_percent / 100)


def _start_tasks(service: Service, now: float, effects: list[Effect]) -> Service:
    primary = service.primary
    if primary.rollout == "FAILED" or now < service.pause_until:
        return service
    live = _live(service)
    own = [t for t in live if t.deployment == primary.identifier and not t.unhealthy(now, service.rules.grace)]
    for _ in range(min(service.desired - len(own), _most_tasks(service) - len(live))):
        number = service.launched + 1
        identifier = hashlib.sha256(f"{service.name}/{primary.created}/{number}".encode()).hexdigest()[:32]
        effects.append(StartTask(identifier, primary.identifier, primary.definition))
        task = Task(identifier, primary.identifier)
        service = replace(service, tasks=(*service.tasks, task), launched=number, steady=False)
    return service


def _stop_tasks(service: Service, now: float, effects: list[Effect]) -> Service:
    """Stop tasks of older deployments as far as enough healthy ones are left, and tasks above the desired count."""
    primary = service.primary
    least = math.ceil(service.desired * service.rules.minimum_percent / 100)
    healthy = sum(task.healthy for task in service.tasks)
    old = [task for task in _live(service) if task.deployment != primary.identifier]
    for task in sorted(old, key=lambda one: one.healthy):
        if task.healthy and healthy - 1 < least:
            break
        healthy -= task.healthy
        effects.append(StopTask(task.identifier, f"Scaling activity initiated by (deployment {primary.identifier})"))
        service = _edit_task(service, task.identifier, stopping=True)
    own = [
        t for t in _live(service) if t.deployment == primary.identifier and not t.unhealthy(now, service.rules.grace)
    ]
    newest_first = own[::-1]
    surplus = sorted(newest_first, key=lambda one: one.healthy)[: max(0, len(own) - service.desired)]
    for task in surplus:
        effects.append(StopTask(task.identifier, f"Scaling activity initiated by (deployment {primary.identifier})"))
        service = _edit_task(service, task.identifier, stopping=True)
    return service


def _complete(service: Service, now: float, effects: list[Effect]) -> Service:
    primary = service.primary
    if primary.rollout == "FAILED" or any(task.deployment != primary.identifier for task in service.tasks):
        return service
    if len(service.tasks) != service.desired or not all(task.healthy for task in service.tasks):
        return service
    if primary.rollout == "IN_PROGRESS":
        reason = f"ECS deployment {primary.identifier} completed."
        known = {one.identifier for one in service.history}
        status = primary.status if primary.identifier in known else "SUCCESSFUL"
        done = replace(primary, rollout="COMPLETED", reason=reason, status=status, updated=now, failed=0)
        ended = [_ended(one) for one in service.deployments[1:]]
        new = {one.identifier for one in (done, *ended)}
        history = (done, *ended, *(one for one in service.history if one.identifier not in new))
        service = replace(service, deployments=(done,), last=done, history=history)
        effects.append(Message(f"(service {service.name}) (deployment {primary.identifier}) deployment completed."))
        effects.append(RolloutChanged(primary.identifier, "SERVICE_DEPLOYMENT_COMPLETED", reason))
    if not service.steady:
        effects.append(Message(f"(service {service.name}) has reached a steady state."))
    return replace(service, steady=True)


def _ended(deployment: Deployment) -> Deployment:
    rolled_back = deployment.status == "ROLLBACK_IN_PROGRESS"
    return replace(deployment, status="ROLLBACK_SUCCESSFUL") if rolled_back else deployment
