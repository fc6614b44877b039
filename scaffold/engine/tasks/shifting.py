"""Deployments that shift traffic from the tasks of one target group to those of the other, as a pure state machine.

Both versions run with the desired count until all traffic is shifted and the bake time is over. `docs/rehearsal.md` has
the rules with their sources.
"""

from __future__ import annotations

from dataclasses import replace

from scaffold.engine.tasks import alarms
from scaffold.engine.tasks.edits import edit_deployment, live, start, stop, stop_surplus, usable
from scaffold.engine.tasks.rollout import ALL_TRAFFIC, Deployment, Stage
from scaffold.engine.tasks.service import Effect, Paused, Rules, Service, ShiftTraffic


def prepared(deployment: Deployment, rules: Rules, source: Deployment | None) -> Deployment:
    """A new deployment with its strategy and its target group.

    Args:
        source: The deployment that was completed last. Without one there is no traffic to shift step by step.
    """
    strategy = rules.strategy
    if not strategy.shifts:
        return replace(deployment, strategy=strategy, source=source.identifier if source else "")
    if source is None:
        strategy = replace(strategy, shifts=((ALL_TRAFFIC, 0.0),), pause=None)
        return replace(deployment, strategy=strategy, group=1, stage=Stage.SCALE_UP)
    group = 1 - source.group
    return replace(deployment, strategy=strategy, group=group, source=source.identifier, stage=Stage.RECONCILE)


def advance(service: Service, now: float, effects: list[Effect]) -> Service:
    """Do what the deployment under way, or its rollback, needs now."""
    if service.rolling_back:
        return _go_back(service, now, effects)
    if service.primary.rollout == "FAILED":
        return _stay(service, now, effects)
    stage = None
    while stage != service.primary.stage:
        stage = service.primary.stage
        service = _keep_tasks(service, now, effects)
        service = _next_stage(service, now, effects)
    return service


def _stay(service: Service, now: float, effects: list[Effect]) -> Service:
    """Leave a deployment as it is that has failed without a rollback."""
    if not service.desired:
        return stop(service, live(service), effects)
    source = _source(service)
    return _keep(service, source, now, effects) if source else service


def _go_back(service: Service, now: float, effects: list[Effect]) -> Service:
    """Return the traffic at once, except where tasks were stopped that it goes to; then stop all other tasks."""
    primary = service.primary
    service = _keep(service, primary, now, effects)
    (failed, *_) = [one for one in service.deployments if one.status == "ROLLBACK_IN_PROGRESS"]
    if failed.stage == Stage.CLEAN_UP and not _ready(service, primary):
        return service
    service = _direct(service, primary.group, ALL_TRAFFIC, effects)
    if failed.strategy.tests:
        service = _direct_tests(service, primary.group, effects)
    return (
        _stop_others(service, {primary.identifier}, effects)
        if _directed(service, primary.group, ALL_TRAFFIC)
        else service
    )


def _keep_tasks(service: Service, now: float, effects: list[Effect]) -> Service:
    """Keep the desired count of both versions, as far as they have tasks in this stage."""
    primary, source = service.primary, _source(service)
    if source and primary.stage != Stage.CLEAN_UP:
        service = _keep(service, source, now, effects)
    return service if primary.stage == Stage.RECONCILE else _keep(service, primary, now, effects)


def _keep(service: Service, deployment: Deployment, now: float, effects: list[Effect]) -> Service:
    paused = deployment.identifier == service.primary.identifier and now < service.pause_until
    if not paused:
        service = start(service, deployment, service.desired - len(usable(service, deployment, now)), effects)
    return stop_surplus(service, deployment, now, effects)


def _next_stage(service: Service, now: float, effects: list[Effect]) -> Service:
    """Enter the next stage if this one is over, or give the target group the next share of the traffic."""
    primary = service.primary
    match primary.stage:
        case Stage.RECONCILE:
            return _reconcile(service, effects)
        case Stage.SCALE_UP:
            following = Stage.TEST if primary.strategy.tests else Stage.SHIFT
            return _enter(service, following) if _ready(service, primary) else service
        case Stage.TEST:
            service = _direct_tests(service, primary.group, effects)
            return _enter(service, Stage.TESTED) if service.test_ordered is None else service
        case Stage.TESTED:
            return _pause(service, now, effects)
        case Stage.SHIFT:
            return _shift(service, now, effects)
        case Stage.BAKE:
            return _enter(service, Stage.CLEAN_UP) if alarms.waited(service, now) else service
        case _:
            return _stop_others(service, {primary.identifier}, effects)


def _pause(service: Service, now: float, effects: list[Effect]) -> Service:
    primary = service.primary
    if primary.strategy.pause is None or primary.continued:
        return _enter(service, Stage.SHIFT)
    if primary.until is None:
        effects.append(Paused(primary.identifier))
        service = edit_deployment(service, primary.identifier, until=now + primary.strategy.pause)
    return service


def _reconcile(service: Service, effects: list[Effect]) -> Service:
    """Take the traffic from deployments that were stopped half-way, then stop their tasks."""
    primary, source = service.primary, _source(service)
    kept = {primary.identifier, primary.source}
    others = [task for task in service.tasks if task.deployment not in kept]
    if not others:
        return _enter(service, Stage.SCALE_UP)
    if source:
        service = _direct(service, source.group, ALL_TRAFFIC, effects)
        if not _directed(service, source.group, ALL_TRAFFIC):
            return service
    return _stop_others(service, kept, effects)


def _shift(service: Service, now: float, effects: list[Effect]) -> Service:
    primary = service.primary
    percent, pause = primary.strategy.shifts[primary.shifted]
    service = _direct(service, primary.group, percent, effects)
    if not _directed(service, primary.group, percent):
        return service
    if service.primary.until is None:
        service = edit_deployment(service, primary.identifier, until=now + pause)
    if not alarms.waited(service, now):
        return service
    if primary.shifted + 1 == len(primary.strategy.shifts):
        return edit_deployment(_enter(service, Stage.BAKE), primary.identifier, until=now + primary.strategy.bake)
    service = edit_deployment(service, primary.identifier, until=None, shifted=primary.shifted + 1)
    return _shift(service, now, effects)


def _enter(service: Service, stage: Stage) -> Service:
    return edit_deployment(service, service.primary.identifier, stage=stage, until=None)


def _ready(service: Service, deployment: Deployment) -> bool:
    own = service.of(deployment.identifier)
    return len(own) == service.desired and all(task.healthy for task in own)


def _source(service: Service) -> Deployment | None:
    wanted = service.primary.source
    return service.last if service.last and service.last.identifier == wanted else None


def _stop_others(service: Service, kept: set[str], effects: list[Effect]) -> Service:
    return stop(service, [task for task in live(service) if task.deployment not in kept], effects)


def _direct(service: Service, group: int, percent: float, effects: list[Effect]) -> Service:
    """Give a target group this percentage of the traffic, unless that was done or ordered."""
    alternate = percent if group else ALL_TRAFFIC - percent
    if alternate == (service.alternate if service.ordered is None else service.ordered):
        return service
    effects.append(ShiftTraffic(alternate))
    return replace(service, ordered=alternate)


def _direct_tests(service: Service, group: int, effects: list[Effect]) -> Service:
    """Give a target group the traffic of the test listener rule, unless that was done or ordered."""
    alternate = ALL_TRAFFIC if group else 0.0
    if alternate == (service.tested if service.test_ordered is None else service.test_ordered):
        return service
    effects.append(ShiftTraffic(alternate, test=True))
    return replace(service, test_ordered=alternate)


def _directed(service: Service, group: int, percent: float) -> bool:
    return service.ordered is None and service.alternate == (percent if group else ALL_TRAFFIC - percent)
