"""A service whose tasks do what a test says."""

from __future__ import annotations

from scaffold.engine.tasks.deployment import begin, step
from scaffold.engine.tasks.rollout import Deployment
from scaffold.engine.tasks.service import (
    Checked,
    Effect,
    Event,
    Health,
    Rules,
    Running,
    StartTask,
    Stopped,
    Tick,
    Updated,
)

BREAKER = Rules(breaker=True, rollback=True)


class World:
    """A service whose tasks do what the test says."""

    def __init__(self, desired: int = 2, rules: Rules = BREAKER) -> None:
        self.now = 0.0
        self.number = 1
        self.effects: list[Effect] = []
        self.service, effects = begin("shop", desired, rules, self._deployment(), self.now)
        self.effects += effects

    def _deployment(self) -> Deployment:
        return Deployment(f"d{self.number}", f"shop:{self.number}", self.now)

    def send(self, event: Event) -> list[Effect]:
        self.now += 0.01
        self.service, effects = step(self.service, event, self.now)
        self.effects += effects
        if started(effects) and not self.service.shifting:  # Those that shift traffic run both versions.
            live = [task for task in self.service.tasks if not task.stopping]
            assert len(live) <= self.service.desired * self.service.rules.maximum_percent // 100
        return effects

    def release(self, **more: int) -> None:
        self.number += 1
        self.send(Updated(more.get("desired", self.service.desired), self.service.rules, self._deployment()))

    def starting(self) -> list[str]:
        return [task.identifier for task in self.service.tasks if task.running_since is None]

    def become_healthy(self) -> None:
        """All starting tasks run and are healthy, and all that are stopped have stopped, until nothing changes."""
        for _ in range(50):
            stopping = [task.identifier for task in self.service.tasks if task.stopping]
            starting = self.starting()
            for task in starting:
                self.send(Running(task, Health.UNCHECKED, Health.UNKNOWN))
                self.send(Checked(task, target=Health.HEALTHY))
            for task in stopping:
                self.send(Stopped(task))
            if not starting and not stopping:
                return
        raise AssertionError("tasks are started and stopped for ever")

    def versions(self) -> list[str]:
        names = {one.identifier: one.definition for one in self.service.deployments}
        return sorted(names.get(task.deployment, "?") for task in self.service.tasks if not task.stopping)

    def pass_time(self, seconds: float) -> None:
        self.now += seconds
        self.send(Tick())


def started(effects: list[Effect]) -> int:
    return sum(isinstance(one, StartTask) for one in effects)


def fail_all(world: World, failures: int) -> None:
    for _ in range(failures):
        world.pass_time(30 * 60)
        world.send(Stopped(world.starting()[0]))


def settle(world: World) -> None:
    """Let all tasks become healthy, and time pass."""
    for _ in range(20):
        world.pass_time(30 * 60)
        for task in world.service.tasks:
            if task.running_since is not None and not task.stopping:
                world.send(Checked(task.identifier, target=Health.HEALTHY))
        world.become_healthy()
