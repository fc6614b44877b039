"""Deployments of an ECS service, as a pure state machine: what all strategies have in common.

`docs/rehearsal.md` has the rules with their sources.
"""

from __future__ import annotations

import math
from dataclasses import replace

from scaffold.engine.tasks import alarms, rolling, shifting
from scaffold.engine.tasks.edits import edit_deployment, edit_task, live
from scaffold.engine.tasks.rollout import OPEN, Deployment, Stage, pausing
from scaffold.engine.tasks.service import (
    AlarmsSeen,
    Checked,
    Continued,
    Effect,
    Event,
    Health,
    Message,
    RolloutChanged,
    Rules,
    Running,
    Service,
    Shifted,
    ShiftRefused,
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
_ROLLED_BACK = "Service deployment rolled back because"
_NOT_CONTINUED = f"{_ROLLED_BACK} the pause of a lifecycle hook"


def failure_threshold(desired: int) -> int:
    """How many tasks have to fail, one after the other, for the circuit breaker to end a deployment."""
    return min(max(math.ceil(desired * 0.5), _FEWEST_FAILURES), _MOST_FAILURES)


def begin(name: str, desired: int, rules: Rules, deployment: Deployment, now: float) -> tuple[Service, list[Effect]]:
    """A new service, with the effects of its first deployment."""
    deployment = shifting.prepared(deployment, rules, None)
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
    service = _heed_alarms(service, now, effects)
    service = _end_pause(service, now, effects)
    if isinstance(event, Tick | Updated):
        service = alarms.ask(service, now, effects)
    if service.shifting:
        service = shifting.advance(service, now, effects)
    else:
        service = rolling.stop_tasks(service, now, effects)
        service = rolling.start_tasks(service, now, effects)
    return _complete(service, now, effects), effects


def _apply(service: Service, event: Event, now: float, effects: list[Effect]) -> Service:
    match event:
        case Updated():
            service = replace(service, desired=event.desired, rules=event.rules, steady=False)
            if event.deployment is None:
                return service
            older = [replace(one, status="STOPPED") if one.status in OPEN else one for one in service.deployments]
            new = shifting.prepared(event.deployment, event.rules, service.last)
            effects.append(RolloutChanged(new.identifier, "SERVICE_DEPLOYMENT_IN_PROGRESS", ""))
            return replace(service, deployments=(new, *older), launch_failures=0, pause_until=0.0)
        case StopRequested():
            if service.primary.rollout != "IN_PROGRESS" or service.rolling_back:
                return service
            reason = "ECS deployment was stopped by a user."
            return _fail(service, reason, event.rollback, now, effects)
        case Continued():
            if not pausing(service.primary):
                return service
            if event.rollback:
                return _fail(service, f"{_NOT_CONTINUED} was ended by a user.", True, now, effects)
            return edit_deployment(service, service.primary.identifier, continued=True)
        case Running():
            ready = {"running_since": now, "container": event.container, "target": event.target}
            return _note_healthy(edit_task(service, event.task, **ready), event.task)
        case Checked():
            found = {"container": event.container, "target": event.target}
            known = {name: health for name, health in found.items() if health is not None}
            return _note_healthy(edit_task(service, event.task, **known), event.task)
        case Stopped():
            return _remove_task(service, event, now)
        case Shifted():
            return _note_shift(service, event)
        case ShiftRefused():
            return _note_refusal(service, event, now, effects)
        case AlarmsSeen():
            return alarms.note(service, event)
        case Tick():
            return service


def _note_healthy(service: Service, identifier: str) -> Service:
    """A healthy task ends the count of failures in a row."""
    for task in service.tasks:
        if task.identifier == identifier and task.healthy:
            service = replace(service, launch_failures=0, pause_until=0.0)
            return edit_deployment(service, task.deployment, failed=0)
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
            return edit_deployment(service, one.identifier, failed=one.failed + 1)
    return service


def _stop_unhealthy(service: Service, now: float, effects: list[Effect]) -> Service:
    """Stop unhealthy tasks: at once in a deployment, otherwise once a replacement is healthy or has no room."""
    for task in service.tasks:
        if not task.unhealthy(now, service.rules.grace):
            continue
        deploying = task.deployment == service.primary.identifier and service.primary.rollout == "IN_PROGRESS"
        healthy = sum(one.healthy for one in service.tasks)
        if not deploying and healthy < service.desired and len(live(service)) < rolling.most_tasks(service):
            continue
        kind = "ELB" if task.target is Health.UNHEALTHY else "container"
        effects.append(StopTask(task.identifier, f"Task failed {kind} health checks"))
        service = _count_failure(edit_task(service, task.identifier, stopping=True), task, now)
    return service


def _break_circuit(service: Service, now: float, effects: list[Effect]) -> Service:
    primary, rules = service.primary, service.rules
    if not rules.breaker or service.rolling_back or primary.rollout != "IN_PROGRESS":
        return service
    if primary.failed < failure_threshold(service.desired):
        return service
    reason = "ECS deployment circuit breaker: tasks failed to start."
    if primary.strategy.shifts:
        reason = f"{_ROLLED_BACK} the circuit breaker threshold was exceeded."
    return _fail(service, reason, rules.rollback, now, effects)


def _heed_alarms(service: Service, now: float, effects: list[Effect]) -> Service:
    triggered = service.primary.watch.triggered
    if not service.watching or not triggered:
        return service
    reason = f"{_ROLLED_BACK} of CloudWatch alarms: {', '.join(triggered)}."
    return _fail(service, reason, service.primary.strategy.alarms_roll_back, now, effects)


def _end_pause(service: Service, now: float, effects: list[Effect]) -> Service:
    """Roll a deployment back that nobody has continued in time."""
    until = service.primary.until
    if not pausing(service.primary) or until is None or now < until:
        return service
    return _fail(service, f"{_NOT_CONTINUED} was over.", True, now, effects)


def _note_shift(service: Service, shifted: Shifted) -> Service:
    """Take note of the weights; those of an order that another one has replaced are not the last ones."""
    if shifted.test:
        same = service.test_ordered == shifted.alternate
        return replace(service, tested=shifted.alternate, test_ordered=None) if same else service
    same = service.ordered == shifted.alternate
    return replace(service, alternate=shifted.alternate, ordered=None) if same else service


def _note_refusal(service: Service, refused: ShiftRefused, now: float, effects: list[Effect]) -> Service:
    """Roll a deployment back that cannot shift traffic; a rollback goes on without."""
    if (service.test_ordered if refused.test else service.ordered) != refused.alternate:
        return service
    service = replace(service, test_ordered=None) if refused.test else replace(service, ordered=None)
    if service.shifting and service.primary.rollout == "IN_PROGRESS" and not service.rolling_back:
        why = f"{_ROLLED_BACK} of invalid networking configuration. {refused.reason}"
        return _fail(service, why, True, now, effects)
    effects.append(Message(f"(service {service.name}) was unable to shift traffic: {refused.reason}"))
    if refused.test:
        return replace(service, tested=refused.alternate)
    return replace(service, alternate=refused.alternate)


def _fail(service: Service, reason: str, rollback: bool, now: float, effects: list[Effect]) -> Service:
    """End the primary deployment; where asked and possible, return to the last completed one."""
    failed, target = service.primary, service.last if rollback else None
    status = "ROLLBACK_IN_PROGRESS" if target else "STOPPED"
    service = edit_deployment(service, failed.identifier, rollout="FAILED", reason=reason, status=status, updated=now)
    effects.append(Message(f"(service {service.name}) (deployment {failed.identifier}) deployment failed: {reason}"))
    effects.append(RolloutChanged(failed.identifier, "SERVICE_DEPLOYMENT_FAILED", reason))
    if target is None:
        return service
    back = replace(target, rollout="IN_PROGRESS", reason=_ROLLING_BACK.format(target.identifier), failed=0, updated=now)
    others = [one for one in service.deployments if one.identifier != target.identifier]
    effects.append(Message(f"(service {service.name}) rolling back to deployment {target.identifier}."))
    effects.append(RolloutChanged(back.identifier, "SERVICE_DEPLOYMENT_IN_PROGRESS", back.reason))
    return replace(service, deployments=(back, *others), launch_failures=0, pause_until=0.0)


def _baked(service: Service, now: float) -> tuple[Service, bool]:
    """Whether nothing is left to wait for once the tasks are those of the primary deployment."""
    primary = service.primary
    if primary.rollout != "IN_PROGRESS":
        return service, True
    if service.shifting:
        return service, service.ordered is None and (service.rolling_back or primary.stage == Stage.CLEAN_UP)
    if service.rolling_back or not (primary.strategy.bake or primary.strategy.alarms):
        return service, True
    if primary.stage is None:
        service = edit_deployment(service, primary.identifier, stage=Stage.BAKE, until=now + primary.strategy.bake)
    return service, alarms.waited(service, now)


def _complete(service: Service, now: float, effects: list[Effect]) -> Service:
    primary = service.primary
    if primary.rollout == "FAILED" or any(task.deployment != primary.identifier for task in service.tasks):
        return service
    if len(service.tasks) != service.desired or not all(task.healthy for task in service.tasks):
        return service
    service, baked = _baked(service, now)
    if not baked:
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
