"""Deployments that shift traffic: each row of docs/rehearsal.md about their state machine has a test here."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scaffold.engine.clock import Clock
from scaffold.engine.tasks.record import Record, rules_of
from scaffold.engine.tasks.rollout import Strategy
from scaffold.engine.tasks.service import (
    AlarmsSeen,
    AskAlarms,
    Checked,
    Continued,
    Health,
    Message,
    Paused,
    Rules,
    Running,
    Shifted,
    ShiftRefused,
    ShiftTraffic,
    StartTask,
    Stopped,
    StopRequested,
    StopTask,
    Updated,
)
from scaffold.engine.tasks.traffic import weights
from tests.engine.tasks.world import World, fail_all

BAKE = 600.0
BLUE_GREEN = Strategy("BLUE_GREEN", ((100.0, 0.0),), BAKE)
CANARY = Strategy("CANARY", ((10.0, 300.0), (100.0, 0.0)), BAKE)
LINEAR = Strategy("LINEAR", ((40.0, 120.0), (80.0, 120.0), (100.0, 0.0)), BAKE)
EVERY = [BLUE_GREEN, CANARY, LINEAR]
WATCHED = replace(CANARY, alarms=("errors",), alarms_roll_back=True)


class Shifting(World):
    """A service that shifts traffic, whose first deployment is complete unless told otherwise."""

    def __init__(self, strategy: Strategy, desired: int = 2, complete: bool = True) -> None:
        super().__init__(desired, Rules(breaker=True, rollback=True, strategy=strategy))
        if complete:
            self.become_healthy()
            self.pass_on()
            assert self.status("d1") == "SUCCESSFUL"

    def shift(self) -> float | None:
        """Change the weights as ordered; return the alternate group's."""
        if self.service.test_ordered is not None:
            self.send(Shifted(self.service.test_ordered, test=True))
        if self.service.ordered is not None:
            self.send(Shifted(self.service.ordered))
        return self.service.alternate

    def watch(self, *ringing: str, since: float | None = None) -> None:
        """Read the alarms."""
        states = dict.fromkeys(ringing, self.now if since is None else since)
        self.send(AlarmsSeen(self.service.primary.identifier, self.now, states))

    def pass_on(self) -> None:
        """Wait and shift until nothing changes any more."""
        before = None
        while before != (self.service.deployments, self.service.tasks):
            before = (self.service.deployments, self.service.tasks)
            self.shift()
            self.pass_time(BAKE + 1)
            self.watch()
            self.become_healthy()

    def status(self, identifier: str) -> str:
        known = (*self.service.deployments, *self.service.history)
        return next(one.status for one in known if one.identifier == identifier)

    def reason(self, identifier: str) -> str:
        return next(one.reason for one in self.service.deployments if one.identifier == identifier)

    def groups(self) -> set[int]:
        groups = {one.identifier: one.group for one in self.service.deployments}
        return {groups[task.deployment] for task in self.service.tasks if not task.stopping}


def test_the_first_deployment_gives_all_traffic_to_the_alternate_target_group() -> None:
    world = Shifting(CANARY, complete=False)
    assert {one.group for one in world.effects if isinstance(one, StartTask)} == {1}
    world.become_healthy()
    assert [one for one in world.effects if isinstance(one, ShiftTraffic)] == [ShiftTraffic(100.0)]
    assert world.shift() == 100.0
    assert world.service.primary.stage == "BAKE_TIME"
    world.pass_time(BAKE)
    assert world.status("d1") == "SUCCESSFUL"
    assert world.service.steady


@pytest.mark.parametrize("strategy", EVERY, ids=lambda one: one.name)
def test_green_tasks_get_no_traffic_before_all_of_them_are_healthy(strategy: Strategy) -> None:
    world = Shifting(strategy)
    before = len(world.effects)
    world.release()
    assert world.service.primary.stage == "SCALE_UP"
    assert world.versions() == ["shop:1", "shop:1", "shop:2", "shop:2"]
    assert {one.group for one in world.effects[before:] if isinstance(one, StartTask)} == {0}
    first, second = world.starting()
    for task in (first, second):
        world.send(Running(task, Health.UNCHECKED, Health.UNKNOWN))
        assert not any(isinstance(one, ShiftTraffic) for one in world.effects[before:])
        world.send(Checked(task, target=Health.HEALTHY))
    assert ShiftTraffic(100.0 - strategy.shifts[0][0]) in world.effects[before:]


@pytest.mark.parametrize(
    ("strategy", "course"),
    [
        (BLUE_GREEN, [(0.0, BAKE)]),
        (CANARY, [(90.0, 300.0), (0.0, BAKE)]),
        (LINEAR, [(60.0, 120.0), (20.0, 120.0), (0.0, BAKE)]),
    ],
    ids=lambda one: one.name if isinstance(one, Strategy) else "",
)
def test_traffic_is_shifted_in_steps_with_waits(strategy: Strategy, course: list[tuple[float, float]]) -> None:
    world = Shifting(strategy)
    world.release()
    world.become_healthy()
    for alternate, wait in course:
        assert world.shift() == alternate
        assert world.service.ordered is None
        world.pass_time(wait - 1)
        assert (world.service.alternate, world.service.ordered) == (alternate, None)
        assert world.versions() == ["shop:1", "shop:1", "shop:2", "shop:2"]
        world.pass_time(1)
    assert world.service.primary.stage == "CLEAN_UP"
    assert world.versions() == ["shop:2", "shop:2"]
    assert world.status("d2") == "IN_PROGRESS"
    world.become_healthy()
    assert world.status("d2") == "SUCCESSFUL"
    assert world.service.steady


@pytest.mark.parametrize("strategy", EVERY, ids=lambda one: one.name)
def test_target_groups_are_used_in_turn(strategy: Strategy) -> None:
    world = Shifting(strategy)
    assert world.groups() == {1}
    for group in (0, 1, 0):
        world.release()
        world.become_healthy()
        world.pass_on()
        assert world.groups() == {group}
        assert world.service.alternate == 100.0 * group


def in_canary(strategy: Strategy = WATCHED) -> Shifting:
    """A canary that has its share of the traffic."""
    world = Shifting(strategy)
    world.release()
    world.become_healthy()
    assert world.shift() == 90.0
    return world


def test_an_alarm_takes_the_traffic_back_at_once() -> None:
    world = in_canary()
    before = len(world.effects)
    world.watch("errors")
    assert [one for one in world.effects[before:] if isinstance(one, ShiftTraffic | StopTask)] == [ShiftTraffic(100.0)]
    assert world.status("d2") == "ROLLBACK_IN_PROGRESS"
    assert world.service.primary.identifier == "d1"
    world.shift()
    assert world.versions() == ["shop:1", "shop:1"]
    world.become_healthy()
    assert world.status("d2") == "ROLLBACK_SUCCESSFUL"
    assert world.service.history[1].reason == "Service deployment rolled back because of CloudWatch alarms: errors."
    assert world.service.steady


def test_an_alarm_that_was_in_alarm_before_the_deployment_makes_it_ignore_all_alarms() -> None:
    world = Shifting(replace(CANARY, alarms=("errors", "latency"), alarms_roll_back=True))
    alarmed = world.now
    world.pass_time(60)
    world.release()
    world.watch("errors", since=alarmed)
    world.watch("errors", "latency")
    world.become_healthy()
    world.shift()
    world.watch("latency")
    world.pass_on()
    assert world.status("d2") == "SUCCESSFUL"
    assert world.service.primary.watch.ignored


def test_a_wait_ends_with_a_look_at_the_alarms() -> None:
    world = in_canary()
    world.watch()
    before = len(world.effects)
    world.pass_time(300)
    assert AskAlarms("d2", ("errors",)) in world.effects[before:]
    assert not any(isinstance(one, ShiftTraffic) for one in world.effects[before:])
    world.send(AlarmsSeen("d2", world.now, None))  # They could not be read.
    world.pass_time(1)
    assert not any(isinstance(one, ShiftTraffic) for one in world.effects[before:])
    world.watch()
    assert ShiftTraffic(0.0) in world.effects[before:]


def test_alarms_without_rollback_leave_the_traffic_where_it_is() -> None:
    world = in_canary(replace(WATCHED, alarms_roll_back=False))
    world.watch("errors")
    assert world.status("d2") == "STOPPED"
    assert world.service.primary.rollout == "FAILED"
    world.pass_time(3600)
    assert (world.service.alternate, world.service.ordered) == (90.0, None)
    assert world.versions() == ["shop:1", "shop:1", "shop:2", "shop:2"]
    world.release()  # The next deployment repairs it.
    world.become_healthy()
    world.pass_on()
    assert world.versions() == ["shop:3", "shop:3"]


def test_the_circuit_breaker_ends_a_deployment_that_shifts_traffic() -> None:
    world = Shifting(CANARY, desired=1)
    world.release()
    fail_all(world, 3)
    world.shift()
    world.become_healthy()
    assert world.versions() == ["shop:1"]
    assert world.status("d2") == "ROLLBACK_SUCCESSFUL"
    reason = "Service deployment rolled back because the circuit breaker threshold was exceeded."
    assert world.service.history[1].reason == reason


def test_a_first_deployment_that_shifts_traffic_cannot_be_rolled_back() -> None:
    world = Shifting(CANARY, desired=1, complete=False)
    fail_all(world, 3)
    assert (world.service.primary.rollout, world.status("d1")) == ("FAILED", "STOPPED")


def test_a_shift_is_stopped_on_request() -> None:
    world = in_canary()
    world.send(StopRequested(rollback=True))
    assert world.shift() == 100.0
    world.become_healthy()
    assert world.versions() == ["shop:1", "shop:1"]
    assert world.status("d2") == "ROLLBACK_SUCCESSFUL"


def test_a_rollback_after_the_bake_time_waits_for_blue_tasks() -> None:
    world = in_canary(CANARY)
    world.pass_time(300)
    world.shift()
    world.pass_time(BAKE)
    for task in world.service.tasks:
        if task.stopping:
            world.send(Stopped(task.identifier))
            break
    assert world.service.primary.stage == "CLEAN_UP"
    before = len(world.effects)
    world.send(StopRequested(rollback=True))
    assert not any(isinstance(one, ShiftTraffic) for one in world.effects[before:])
    world.become_healthy()
    assert ShiftTraffic(100.0) in world.effects[before:]
    assert world.versions() == ["shop:1", "shop:1", "shop:2", "shop:2"]
    world.shift()
    world.become_healthy()
    assert world.versions() == ["shop:1", "shop:1"]


def test_a_deployment_that_replaces_a_shift_starts_with_the_traffic_at_the_last_version() -> None:
    world = in_canary()
    world.release()
    assert world.service.primary.stage == "RECONCILE_SERVICE"
    assert world.status("d2") == "STOPPED"
    assert "shop:3" not in world.versions()
    assert world.shift() == 100.0
    world.become_healthy()
    assert world.versions() == ["shop:1", "shop:1", "shop:3", "shop:3"]
    world.pass_on()
    assert world.versions() == ["shop:3", "shop:3"]


def test_a_rule_that_cannot_be_changed_ends_the_deployment() -> None:
    world = Shifting(CANARY)
    world.release()
    world.become_healthy()
    world.send(ShiftRefused(90.0, "denied"))
    assert world.reason("d2").endswith("invalid networking configuration. denied")
    world.become_healthy()
    assert world.versions() == ["shop:1", "shop:1"]
    assert world.status("d2") == "ROLLBACK_SUCCESSFUL"


def test_a_rollback_goes_on_where_the_rule_cannot_be_changed() -> None:
    world = in_canary()
    world.send(StopRequested(rollback=True))
    world.send(ShiftRefused(90.0, "denied"))  # Of an order that another one has replaced.
    assert world.service.ordered == 100.0
    world.send(ShiftRefused(100.0, "denied"))
    assert Message("(service shop) was unable to shift traffic: denied") in world.effects
    world.become_healthy()
    assert world.versions() == ["shop:1", "shop:1"]
    assert world.status("d2") == "ROLLBACK_SUCCESSFUL"


def test_strategies_change_with_a_deployment() -> None:
    world = World(2, Rules(strategy=Strategy()))
    world.become_healthy()
    shifting = Shifting(CANARY)
    for one, rules, group in ((world, shifting.service.rules, 1), (shifting, Rules(), 0)):
        one.send(Updated(2, rules))
        assert one.service.steady or one.service.primary.rollout == "COMPLETED"
        one.release()
        assert one.service.primary.group == group
        assert one.service.primary.strategy.name == rules.strategy.name


def test_a_rolling_deployment_bakes_and_watches_alarms() -> None:
    strategy = Strategy(bake=BAKE, alarms=("errors",), alarms_roll_back=True)
    world = World(1, Rules(breaker=True, rollback=True, strategy=strategy))
    for number in (1, 2):
        world.become_healthy()
        assert world.versions() == [f"shop:{number}"]
        assert not world.service.steady
        world.pass_time(BAKE)
        assert not world.service.steady
        world.send(AlarmsSeen(f"d{number}", world.now, {}))
        assert world.service.primary.status == "SUCCESSFUL"
        world.release()
    world.become_healthy()
    world.send(AlarmsSeen("d3", world.now, {"errors": world.now}))
    world.become_healthy()
    assert world.versions() == ["shop:2"]
    assert world.service.steady


def test_a_shift_keeps_the_desired_count_of_both_versions() -> None:
    world = in_canary()
    world.send(Updated(3, world.service.rules))
    world.send(Stopped(world.service.tasks[0].identifier))
    world.become_healthy()
    assert world.versions() == ["shop:1"] * 3 + ["shop:2"] * 3
    world.send(Updated(0, world.service.rules))  # The service is deleted.
    assert world.versions() == []


@pytest.mark.parametrize(
    ("configuration", "shifts"),
    [
        ({"strategy": "BLUE_GREEN"}, ((100.0, 0.0),)),
        ({"strategy": "CANARY", "canaryConfiguration": {"canaryPercent": 2.5}}, ((2.5, 10.0), (100.0, 0.0))),
        (
            {"strategy": "LINEAR", "linearConfiguration": {"stepPercent": 30.0, "stepBakeTimeInMinutes": 1}},
            ((30.0, 1.0), (60.0, 1.0), (90.0, 1.0), (100.0, 0.0)),
        ),
        ({"strategy": "LINEAR", "linearConfiguration": {"stepPercent": 50}}, ((50.0, 6.0), (100.0, 0.0))),
        ({}, ()),
    ],
)
def test_configurations_are_read(configuration: dict[str, object], shifts: tuple[tuple[float, float], ...]) -> None:
    rules = rules_of({"deploymentConfiguration": {**configuration, "bakeTimeInMinutes": 5}}, Clock(speed=60))
    assert rules.strategy.shifts == shifts
    assert rules.strategy.bake == 5.0


@pytest.mark.parametrize(
    ("percent", "expected"), [(0.0, (100, 0)), (10.0, (90, 10)), (2.5, (975, 25)), (0.1, (999, 1))]
)
def test_percentages_are_weights(percent: float, expected: tuple[int, int]) -> None:
    assert weights(percent) == expected


EVENTS = st.sampled_from(
    ["run", "heal", "sicken", "end", "release", "count", "alarm", "stop", "shift", "refuse", "wait"]
)


@settings(max_examples=150, deadline=None)
@given(st.lists(EVENTS, max_size=40), st.sampled_from(EVERY))
def test_whatever_happens_the_traffic_ends_where_the_tasks_are(events: list[str], strategy: Strategy) -> None:
    world = Shifting(replace(strategy, alarms=("errors",), alarms_roll_back=True), desired=1)
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
            case "count":
                world.send(Updated(1 + world.service.desired % 3, world.service.rules))
            case "alarm":
                world.watch("errors")
            case "stop" if not world.service.rolling_back:
                world.send(StopRequested(rollback=True))
            case "shift":
                world.shift()
            case "refuse" if world.service.ordered is not None:
                world.send(ShiftRefused(world.service.ordered, "denied"))
            case _:
                world.pass_time(60)
    for _ in range(3):
        world.pass_time(30 * 60)
        for task in world.service.tasks:
            if task.running_since is not None and not task.stopping:
                world.send(Checked(task.identifier, target=Health.HEALTHY))
        world.become_healthy()
        world.pass_on()
    assert world.service.steady
    assert {task.deployment for task in world.service.tasks} == {world.service.primary.identifier}
    assert len(world.service.tasks) == world.service.desired
    if "refuse" not in events:
        assert world.service.alternate == 100.0 * world.service.primary.group


def test_tasks_of_the_alternate_target_group_have_another_one_without_it() -> None:
    balancer = {"targetGroupArn": "primary", "containerName": "app", "containerPort": 8080}
    advanced = {"advancedConfiguration": {"alternateTargetGroupArn": "alternate"}}
    service = Shifting(CANARY).service
    for more, group, expected in ((advanced, 0, "primary"), (advanced, 1, "alternate"), ({}, 1, "primary")):
        record = Record({"loadBalancers": [balancer | more]}, {}, service)
        assert record.target_groups(group) == ((expected, "app", 8080),)


PAUSED = replace(CANARY, tests=True, pause=3600.0)


class Pausing(Shifting):
    """A service whose second deployment has its tasks, and waits for a decision."""

    def __init__(self) -> None:
        super().__init__(PAUSED)
        self.release()
        self.become_healthy()
        self.shift()

    def pauses(self) -> list[str]:
        return [one.deployment for one in self.effects if isinstance(one, Paused)]


def test_a_pause_begins_once_the_new_tasks_have_the_test_traffic() -> None:
    world = Pausing()
    assert world.pauses() == ["d2"]
    assert (world.service.tested, world.service.alternate) == (0.0, 100.0)
    world.pass_time(3500)
    world.send(AlarmsSeen("d2", world.now, {}))
    assert (world.service.alternate, world.status("d2")) == (100.0, "IN_PROGRESS")


def test_the_first_deployment_does_not_pause() -> None:
    world = Shifting(PAUSED, complete=False)
    world.become_healthy()
    world.send(Shifted(100.0, test=True))
    assert ShiftTraffic(100.0) in world.effects
    assert not any(isinstance(one, Paused) for one in world.effects)


def test_a_deployment_that_is_continued_shifts() -> None:
    world = Pausing()
    world.send(Continued(rollback=False))
    assert world.shift() == 90.0
    world.pass_on()
    assert (world.status("d2"), world.service.alternate, world.pauses()) == ("SUCCESSFUL", 0.0, ["d2"])


def test_a_deployment_that_nobody_continues_is_rolled_back() -> None:
    for decided in (True, False):
        world = Pausing()
        if decided:
            world.send(Continued(rollback=True))
        else:
            world.pass_time(3601)
        assert world.status("d2") == "ROLLBACK_IN_PROGRESS"
        assert ("ended by a user" if decided else "was over") in world.reason("d2")
        world.pass_on()
        assert (world.status("d2"), world.service.alternate, world.service.tested) == (
            "ROLLBACK_SUCCESSFUL",
            100.0,
            100.0,
        )
        shifts = [one for one in world.effects if isinstance(one, ShiftTraffic) and not one.test]
        assert shifts == [ShiftTraffic(100.0)]


def test_a_decision_counts_during_the_pause_only() -> None:
    world = Pausing()
    world.send(Continued(rollback=False))
    world.send(Continued(rollback=True))
    assert world.status("d2") == "IN_PROGRESS"


def test_an_alarm_ends_a_pause() -> None:
    world = Shifting(replace(PAUSED, alarms=("errors",), alarms_roll_back=True))
    world.release()
    world.become_healthy()
    world.send(Shifted(0.0, test=True))
    world.watch()
    world.pass_time(10)
    world.watch("errors")
    assert world.status("d2") == "ROLLBACK_IN_PROGRESS"


def test_a_test_rule_that_cannot_be_changed_rolls_back() -> None:
    world = Shifting(PAUSED)
    world.release()
    world.become_healthy()
    world.send(ShiftRefused(0.0, "no such rule", test=True))
    assert world.status("d2") == "ROLLBACK_IN_PROGRESS"
    assert "no such rule" in world.reason("d2")
