"""Rolling deployments: each row of docs/rehearsal.md about them has a test here."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scaffold.engine.tasks.deployment import failure_threshold
from scaffold.engine.tasks.service import (
    Checked,
    Health,
    Message,
    RolloutChanged,
    Rules,
    Running,
    StartTask,
    Stopped,
    StopRequested,
    StopTask,
    Updated,
)
from tests.engine.tasks.world import BREAKER, World, fail_all, settle, started


def test_a_new_service_starts_its_tasks_and_becomes_steady() -> None:
    world = World(desired=3)
    assert started(world.effects) == 3
    assert not world.service.steady
    world.become_healthy()
    assert world.service.primary.rollout == "COMPLETED"
    assert world.service.primary.status == "SUCCESSFUL"
    assert Message("(service shop) has reached a steady state.") in world.effects
    names = [one.name for one in world.effects if isinstance(one, RolloutChanged)]
    assert names == ["SERVICE_DEPLOYMENT_IN_PROGRESS", "SERVICE_DEPLOYMENT_COMPLETED"]


@pytest.mark.parametrize(
    ("desired", "minimum", "maximum", "starts", "stops"),
    [
        (4, 100, 200, 4, 0),
        (4, 50, 200, 4, 2),
        (3, 50, 100, 1, 1),  # The minimum is rounded up ...
        (3, 100, 150, 1, 0),  # ... and the maximum is rounded down.
        (1, 0, 100, 1, 1),
        (1, 100, 150, 0, 0),  # Nothing can happen.
    ],
)
def test_a_release_stays_within_minimum_and_maximum(
    desired: int, minimum: int, maximum: int, starts: int, stops: int
) -> None:
    world = World(desired, Rules(minimum, maximum))
    world.become_healthy()
    before = len(world.effects)
    world.release()
    new = world.effects[before:]
    assert (started(new), sum(isinstance(one, StopTask) for one in new)) == (starts, stops)
    world.become_healthy()
    assert world.versions() == ["shop:2" if starts else "shop:1"] * desired
    assert world.service.steady is bool(starts)


def test_old_tasks_run_until_new_ones_are_healthy() -> None:
    world = World()
    world.become_healthy()
    world.release()
    for task in world.starting():
        world.send(Running(task, Health.UNKNOWN, Health.UNKNOWN))
        world.send(Checked(task, target=Health.HEALTHY))
        assert world.versions().count("shop:1") == 2
    new = [task.identifier for task in world.service.tasks if task.deployment == "d2"]
    world.send(Checked(new[0], container=Health.HEALTHY))
    assert world.versions() == ["shop:1", "shop:2", "shop:2"]
    world.send(Checked(new[1], container=Health.HEALTHY))
    assert world.versions() == ["shop:2", "shop:2"]
    assert world.service.primary.rollout == "IN_PROGRESS"  # Old tasks have not stopped yet.
    world.become_healthy()
    assert world.service.primary.rollout == "COMPLETED"


@pytest.mark.parametrize(("desired", "threshold"), [(1, 3), (6, 3), (7, 4), (100, 50), (1000, 200)])
def test_the_threshold_of_the_circuit_breaker(desired: int, threshold: int) -> None:
    assert failure_threshold(desired) == threshold


def test_the_circuit_breaker_rolls_back_to_the_last_completed_deployment() -> None:
    world = World(desired=1)
    world.become_healthy()
    world.release()
    fail_all(world, 2)
    assert world.service.primary.definition == "shop:2"
    assert world.service.primary.failed == 2
    fail_all(world, 1)
    assert world.service.primary.definition == "shop:1"
    reason = "ECS deployment circuit breaker: rolling back to deploymentId d1."
    assert RolloutChanged("d1", "SERVICE_DEPLOYMENT_IN_PROGRESS", reason) in world.effects
    assert world.versions() == ["shop:1"]  # The task that always ran.
    statuses = {one.identifier: (one.rollout, one.status) for one in world.service.history}
    assert statuses["d2"] == ("FAILED", "ROLLBACK_SUCCESSFUL")
    assert statuses["d1"] == ("COMPLETED", "SUCCESSFUL")


def test_a_rollback_starts_old_tasks_again() -> None:
    world = World(2, replace(BREAKER, minimum_percent=50, maximum_percent=100))
    world.become_healthy()
    world.release()
    world.send(Stopped(next(task.identifier for task in world.service.tasks if task.stopping)))
    fail_all(world, 3)
    world.pass_time(1)
    world.become_healthy()
    assert world.versions() == ["shop:1", "shop:1"]
    assert world.service.steady


def test_without_a_completed_deployment_there_is_no_rollback() -> None:
    world = World(desired=1)
    fail_all(world, 3)
    assert world.service.primary.rollout == "FAILED"
    assert world.service.primary.status == "STOPPED"
    before = len(world.effects)
    world.pass_time(3600)
    assert started(world.effects[before:]) == 0


def test_without_a_circuit_breaker_tasks_are_started_again_and_again() -> None:
    world = World(1, Rules())
    fail_all(world, 20)
    assert world.service.primary.rollout == "IN_PROGRESS"


def test_a_healthy_task_ends_the_count_of_failures() -> None:
    world = World(desired=1)
    fail_all(world, 2)
    world.pass_time(60)
    task = world.starting()[0]
    world.send(Running(task, Health.UNCHECKED, Health.UNCHECKED))
    assert world.service.primary.failed == 0


def test_failing_tasks_are_started_more_and_more_slowly() -> None:
    world = World(1, Rules())
    pauses = []
    for _ in range(14):
        world.send(Stopped(world.starting()[0]))
        pauses.append(round(world.service.pause_until - world.now))
        assert world.starting() == []
        world.pass_time(pauses[-1])
        assert len(world.starting()) == 1
    assert pauses == sorted(pauses)
    assert (pauses[0], pauses[-1]) == (1, 27 * 60)


def test_unhealthy_tasks_are_tolerated_in_the_grace_period_only() -> None:
    world = World(1, replace(BREAKER, grace=60.0))
    task = world.starting()[0]
    world.send(Running(task, Health.UNCHECKED, Health.UNKNOWN))
    assert world.send(Checked(task, target=Health.UNHEALTHY)) == []
    world.pass_time(59)
    assert not any(isinstance(one, StopTask) for one in world.effects)
    world.pass_time(2)
    assert StopTask(task, "Task failed ELB health checks") in world.effects
    assert world.service.primary.failed == 1


@pytest.mark.parametrize("kind", ["container", "target"])
def test_failed_health_checks_trip_the_circuit_breaker(kind: str) -> None:
    world = World(desired=1)
    world.become_healthy()
    world.release()
    for _ in range(3):
        world.pass_time(60)
        task = world.starting()[0]
        world.send(Running(task, Health.UNKNOWN, Health.UNKNOWN))
        world.send(Checked(task, **{kind: Health.UNHEALTHY}))
        world.send(Stopped(task))
    assert world.service.primary.definition == "shop:1"
    assert world.versions() == ["shop:1"]


def test_an_unhealthy_task_of_a_steady_service_is_replaced_first() -> None:
    world = World()
    world.become_healthy()
    sick = world.service.tasks[0].identifier
    effects = world.send(Checked(sick, target=Health.UNHEALTHY))
    assert [type(one) for one in effects] == [StartTask]
    world.become_healthy()
    assert sick not in [task.identifier for task in world.service.tasks]
    assert len(world.service.tasks) == 2
    assert world.service.steady


def test_a_task_that_stops_is_replaced_at_once() -> None:
    world = World()
    world.become_healthy()
    effects = world.send(Stopped(world.service.tasks[0].identifier))
    assert started(effects) == 1
    assert not world.service.steady


def test_a_task_that_a_person_stops_is_replaced_and_no_failure() -> None:
    world = World()
    world.become_healthy()
    effects = world.send(Stopped(world.service.tasks[0].identifier, by_user=True))
    assert started(effects) == 1
    assert world.service.launch_failures == 0


@pytest.mark.parametrize(("desired", "running"), [(5, 5), (1, 1), (0, 0)])
def test_the_desired_count_changes_without_a_deployment(desired: int, running: int) -> None:
    world = World()
    world.become_healthy()
    world.send(Updated(desired, BREAKER))
    world.become_healthy()
    assert len(world.service.tasks) == running
    assert [one.identifier for one in world.service.deployments] == ["d1"]
    assert world.service.steady


def test_a_release_takes_the_place_of_one_in_progress() -> None:
    world = World()
    world.become_healthy()
    world.release()
    world.release()
    assert [one.status for one in world.service.deployments] == ["IN_PROGRESS", "STOPPED", "SUCCESSFUL"]
    world.become_healthy()
    assert world.versions() == ["shop:3", "shop:3"]
    assert [(one.identifier, one.status) for one in world.service.history] == [
        ("d3", "SUCCESSFUL"),
        ("d2", "STOPPED"),
        ("d1", "SUCCESSFUL"),
    ]


@pytest.mark.parametrize(("rollback", "version"), [(True, "shop:1"), (False, "shop:2")])
def test_a_deployment_is_stopped_on_request(rollback: bool, version: str) -> None:
    world = World()
    world.become_healthy()
    world.release()
    world.send(StopRequested(rollback))
    world.become_healthy()
    assert world.service.primary.definition == version
    assert world.service.steady is rollback


EVENTS = st.sampled_from(["run", "heal", "sicken", "end", "release", "more", "less", "wait"])


@settings(max_examples=150, deadline=None)
@given(st.lists(EVENTS, max_size=40), st.integers(1, 5), st.sampled_from([(100, 200), (50, 100), (0, 100), (100, 150)]))
def test_whatever_happens_the_service_becomes_steady(events: list[str], desired: int, percent: tuple[int, int]) -> None:
    world = World(desired, replace(BREAKER, minimum_percent=percent[0], maximum_percent=percent[1]))
    world.become_healthy()
    for kind in events:
        tasks = world.service.tasks
        match kind:
            case "run" if world.starting():
                world.send(Running(world.starting()[0], Health.UNCHECKED, Health.UNKNOWN))
            case "heal" | "sicken" if tasks and tasks[-1].running_since is not None:
                world.send(Checked(tasks[-1].identifier, target=Health["HEALTHY" if kind == "heal" else "UNHEALTHY"]))
            case "end" if tasks:
                world.send(Stopped(tasks[-1].identifier))
            case "release":
                world.release()
            case "more" | "less":
                count = max(0, world.service.desired + (1 if kind == "more" else -1))
                world.send(Updated(count, world.service.rules))
            case _:
                world.pass_time(60)
    settle(world)
    wanted = world.service.desired
    if wanted and wanted * percent[1] // 100 <= math.ceil(wanted * percent[0] / 100):
        return  # No task may be started and none may be stopped.
    assert world.service.steady
    assert len({task.deployment for task in world.service.tasks}) <= 1
    assert len(world.service.tasks) == world.service.desired
