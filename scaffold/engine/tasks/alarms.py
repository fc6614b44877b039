"""How alarms decide about a deployment: they are looked at all the time, and once more at the end of each wait."""

from __future__ import annotations

from dataclasses import replace

from scaffold.engine.tasks.edits import edit_deployment
from scaffold.engine.tasks.service import AlarmsSeen, AskAlarms, Effect, Service


def ask(service: Service, now: float, effects: list[Effect]) -> Service:
    """Ask for the states of the alarms, unless an answer is expected."""
    primary = service.primary
    if not service.watching or primary.watch.asked is not None:
        return service
    effects.append(AskAlarms(primary.identifier, primary.strategy.alarms))
    return edit_deployment(service, primary.identifier, watch=replace(primary.watch, asked=now))


def note(service: Service, seen: AlarmsSeen) -> Service:
    """Take note of the states of the alarms.

    If one was in ALARM before the deployment started, ECS ignores all of them: the deployment may be the repair.
    """
    primary = service.primary
    if not service.watching or seen.deployment != primary.identifier:
        return service
    watch = replace(primary.watch, asked=None)
    if seen.ringing is not None:
        first = watch.known < primary.created
        ignored = first and any(since < primary.created for since in seen.ringing.values())
        triggered = () if ignored else tuple(sorted(seen.ringing))
        watch = replace(watch, known=seen.asked, ignored=ignored, triggered=triggered)
    return edit_deployment(service, primary.identifier, watch=watch)


def waited(service: Service, now: float) -> bool:
    """Whether the wait of the primary deployment's stage is over, and its alarms were looked at since."""
    primary = service.primary
    if primary.until is None or now < primary.until:
        return False
    return not service.watching or primary.watch.known >= primary.until
