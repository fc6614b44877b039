"""The alarms of a service, computed over minutes of traffic: what fires, when, and what does not."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from scaffold.engine.metrics.metric_math import evaluate
from tests.infrastructure.cloudwatch import history
from tests.infrastructure.rules import every, walk
from tests.infrastructure.stacks import Stack, Stacks, load, one
from tests.infrastructure.traffic import EMPTY, FAULTS, OUTAGES, QUIET, Group, Minute, published
from tests.infrastructure.variants import FEW
from tests.kits import ROOT

EXAMPLE = re.compile(r"```yaml\n(Conditions:\n.*?)```", re.DOTALL)
NORMAL = Minute(Group(requests=1000))
BEFORE, DURING, AFTER = 10, 20, 10
PEOPLE = {"no-healthy-task", "memory", "_dead-letters", "health-check"}


@pytest.fixture(scope="session")
def service(stacks_of: Callable[..., Stacks]) -> Stacks:
    """The stacks of a service with one environment. Its alarms are the same with every deployment strategy."""
    return stacks_of(environments="live")


def alarms(stacks: Stacks) -> dict[str, dict[str, Any]]:
    """The alarms of the only environment, by the last part of their names."""
    ((_, _, properties),) = every(stacks, "AWS::ECS::Service")
    prefix = f"{properties['ServiceName']}-"
    found = {alarm["AlarmName"]: alarm for _, _, alarm in every(stacks, "AWS::CloudWatch::Alarm")}
    return {name.removeprefix(prefix): alarm for name, alarm in found.items() if name.startswith(prefix)}


def play(stacks: Stacks, minutes: Sequence[Minute], late: int, sparse: bool) -> dict[str, list[str]]:
    """The states of each alarm, minute by minute."""
    ((_, _, properties),) = every(stacks, "AWS::ECS::Service")
    metrics = published(properties, minutes, sparse)
    return {name: history(alarm, metrics, range(len(minutes)), late) for name, alarm in alarms(stacks).items()}


def fired(states: dict[str, list[str]], start: int, end: int) -> set[str]:
    return {name for name, found in states.items() if "ALARM" in found[start:end]}


reported = pytest.mark.parametrize(
    ("late", "sparse"),
    [
        (0, False),
        *(pytest.param(late, False, marks=pytest.mark.slow) for late in (1, 2)),
        (1, True),
    ],
    ids=["at once", "a minute late", "two minutes late", "late and without zeros"],
)


@reported
@pytest.mark.parametrize("swapped", [False, True], ids=["new version in alternate", "new version in primary"])
@pytest.mark.parametrize("name", {**FAULTS, **OUTAGES})
def test_a_fault_fires_its_alarms_and_no_other_until_it_is_over(
    service: Stacks, name: str, swapped: bool, late: int, sparse: bool
) -> None:
    fault, expected = {**FAULTS, **OUTAGES}[name]
    before, during = (minute.swapped if swapped else minute for minute in (NORMAL, fault))
    states = play(service, [before] * BEFORE + [during] * DURING + [before] * AFTER, late, sparse)
    # The first minutes have no history to look back on.
    assert fired(states, 5, BEFORE) == set()
    assert fired(states, BEFORE, BEFORE + DURING + AFTER) == expected
    assert {found[BEFORE + DURING - 1] for name, found in states.items() if name in expected} == {"ALARM"}
    assert fired(states, BEFORE + DURING + AFTER - 2, BEFORE + DURING + AFTER) == set()


@reported
@pytest.mark.parametrize("name", QUIET)
def test_no_alarm_fires_without_a_fault(service: Stacks, name: str, late: int, sparse: bool) -> None:
    states = play(service, [QUIET[name]] * (BEFORE + DURING), late, sparse)
    assert fired(states, 5, BEFORE + DURING) == set()


@reported
def test_one_bad_minute_fires_nothing(service: Stacks, late: int, sparse: bool) -> None:
    for fault, _ in {**FAULTS, **OUTAGES}.values():
        states = play(service, [NORMAL] * BEFORE + [fault] + [NORMAL] * AFTER, late, sparse)
        assert fired(states, 5, BEFORE + AFTER) == set()


@reported
def test_two_bad_minutes_far_apart_fire_nothing(service: Stacks, late: int, sparse: bool) -> None:
    for fault, _ in FAULTS.values():
        minutes = [NORMAL] * BEFORE + [fault, NORMAL, NORMAL, fault] + [NORMAL] * AFTER
        assert fired(play(service, minutes, late, sparse), 5, len(minutes)) == set()


def test_a_fault_without_traffic_before_it_fires(service: Stacks) -> None:
    """A new service, whose canary has the first requests ever."""
    for fault, expected in FAULTS.values():
        states = play(service, [Minute()] * BEFORE + [fault] * DURING, late=1, sparse=False)
        assert fired(states, 5, BEFORE + DURING) == expected


def slowest(stack: Stack) -> int:
    """Minutes from the start of a fault until every alarm that must see it is in ALARM.

    The newest minute arrives late. The first minute of a fault may be too short to count, and an evaluation may come up
    to a minute after the data.
    """
    partial, evaluation = 1, 1
    longest = 0
    for fault, expected in FAULTS.values():
        states = play(stack, [NORMAL] * BEFORE + [fault] * DURING, late=1, sparse=False)
        minutes = [states[name].index("ALARM", BEFORE) + 1 - BEFORE for name in expected]
        longest = max(longest, *minutes)
    return longest + partial + evaluation


def test_the_slowest_alarm_fires_within_the_shortest_bake_time(
    service: Stacks, stacks_of: Callable[..., Stacks]
) -> None:
    (minutes,) = re.findall(r"slowest_alarm_minutes = (\d+)", (ROOT / "includes" / "rules.jinja").read_text())
    assert slowest(service) == int(minutes)
    # Nor does the longest grace period make another alarm the slowest.
    assert slowest(stacks_of(environments="live", customize=True, health_grace_seconds=180)) == int(minutes)


@pytest.mark.parametrize(
    "answers",
    # Without those whose alarms are like another one's.
    [pytest.param(one, marks=pytest.mark.slow if "existing" in name else (), id=name) for name, one in FEW.items()],
)
def test_every_deployment_is_watched_by_all_alarms_but_the_one_for_people(
    stacks_of: Callable[..., Stacks], answers: dict[str, Any]
) -> None:
    stacks = stacks_of(**answers)
    declared = {alarm["AlarmName"] for _, _, alarm in every(stacks, "AWS::CloudWatch::Alarm")}
    for _, _, properties in every(stacks, "AWS::ECS::Service"):
        deployment = properties["DeploymentConfiguration"]
        assert deployment["DeploymentCircuitBreaker"] == {"Enable": True, "Rollback": True}
        watched = deployment["Alarms"]
        assert (watched["Enable"], watched["Rollback"]) == (True, True)
        own = {name for name in declared if name.startswith(f"{properties['ServiceName']}-")}
        assert set(watched["AlarmNames"]) == {name for name in own if not name.endswith(tuple(PEOPLE))}


def test_the_bake_time_is_long_where_it_matters(stacks_of: Callable[..., Stacks]) -> None:
    def minutes(**answers: Any) -> dict[str, int]:
        return {
            properties["ServiceName"].rpartition("-")[2]: int(
                properties["DeploymentConfiguration"]["BakeTimeInMinutes"]
            )
            for _, _, properties in every(stacks_of(**answers), "AWS::ECS::Service")
        }

    assert minutes() == {"dev": 1, "staging": 1, "prod": 10}
    overrides = {
        "dev": {"bake_minutes": 3},
        "uat": {"deployment_strategy": "blue_green"},
        "live": {"bake_minutes": 8},
    }
    given = {"environments": "dev,qa,uat,live", "customize": True, "bake_minutes": 30}
    assert minutes(**given, environment_overrides=overrides) == {"dev": 3, "qa": 1, "uat": 30, "live": 8}


def test_alarms_stay_below_the_limits_of_cloudwatch(service: Stacks) -> None:
    """At most ten metrics; the expressions are counted too, since the documentation does not say that they are not."""
    for alarm in alarms(service).values():
        assert len(alarm["Metrics"]) <= 10
        assert all(len(query.get("Expression", "")) <= 1024 for query in alarm["Metrics"])


@pytest.mark.parametrize("requests_per_task", [0, 50])
@pytest.mark.parametrize("strategy", ["rolling", "canary"])
def test_the_estimate_counts_the_metrics_of_the_alarms(
    stacks_of: Callable[..., Stacks], strategy: str, requests_per_task: int
) -> None:
    """Each scaling policy has two alarms."""
    answers = {"environments": "live", "deployment_strategy": strategy}
    answers |= {"customize": True, "requests_per_task": requests_per_task} if requests_per_task else {}
    stacks = stacks_of(**answers)
    metrics = sum("MetricStat" in query for alarm in alarms(stacks).values() for query in alarm["Metrics"])
    for _, _, policy in every(stacks, "AWS::ApplicationAutoScaling::ScalingPolicy"):
        metrics += 2 * max(1, sum("MetricStat" in item for item in walk(policy)))
    assumed = yaml.safe_load((ROOT / "includes" / "prices.yml").read_text())["assumptions"]
    second = assumed["second_policy_alarm_metrics"] if strategy != "rolling" or requests_per_task else 0
    assert assumed["alarm_metrics"] + second == metrics


def test_no_healthy_task_is_judged_after_the_service_has_one(service: Stacks) -> None:
    (resource,) = [
        resource
        for resource in one(service, "service").resources.values()
        if str(resource["Properties"].get("AlarmName")).endswith("-no-healthy-task")
    ]
    assert resource["DependsOn"] == "Service"
    assert resource["Properties"]["TreatMissingData"] == "breaching"


@pytest.mark.parametrize(
    ("average", "healthy", "alternate_healthy", "used"),
    [
        (100, 2, None, 100),
        (50, 2, 2, 100),  # one version with all the traffic and all its CPU, the other idle
        (60, 4, 1, 75),  # the other version is still starting
        (70, None, 3, 70),
        (90, 0, 0, None),
    ],
)
def test_scaling_sees_the_version_with_traffic_while_both_run(
    stacks_of: Callable[..., Stacks],
    average: int,
    healthy: int | None,
    alternate_healthy: int | None,
    used: float | None,
) -> None:
    stack = one(stacks_of(environments="live", deployment_strategy="canary"), "service")
    (metrics,) = [item["Metrics"] for item in walk(stack.resources["ShiftScaling"]["Properties"]) if "Metrics" in item]
    (expression,) = [query["Expression"] for query in metrics if query.get("ReturnData", True)]
    given = {"cpu": average, "healthy": healthy, "alternate_healthy": alternate_healthy}
    known = {name: {} if value is None else {0: float(value)} for name, value in given.items()}
    assert set(known) == {query["Id"] for query in metrics if "MetricStat" in query}
    assert evaluate(expression, known, range(1)) == ({} if used is None else {0: used})


@pytest.mark.parametrize(
    ("requests", "healthy", "alternate_healthy", "each"),
    [
        (6000, 2, None, 3000),
        (6000, 2, 2, 3000),  # at any weight of the two versions
        (6000, 4, 1, 1500),  # the other version is still starting
        (6000, None, 3, 2000),
        (None, 2, None, 0),  # no requests for a long time: scaling in is not kept up
        (6000, 0, 0, None),
    ],
)
@pytest.mark.parametrize("strategy", ["rolling", "linear"])
def test_scaling_on_requests_sees_both_target_groups(
    stacks_of: Callable[..., Stacks],
    strategy: str,
    requests: int | None,
    healthy: int | None,
    alternate_healthy: int | None,
    each: float | None,
) -> None:
    answers = {"environments": "live", "deployment_strategy": strategy, "customize": True, "requests_per_task": 50}
    stack = one(stacks_of(**answers), "service")
    assert "ShiftScaling" not in stack.resources
    policy = stack.resources["RequestScaling"]["Properties"]["TargetTrackingScalingPolicyConfiguration"]
    assert policy["TargetValue"] == 3000
    (metrics,) = [item["Metrics"] for item in walk(policy) if "Metrics" in item]
    (expression,) = [query["Expression"] for query in metrics if query.get("ReturnData", True)]
    given = {"requests": requests, "healthy": healthy, "alternate_healthy": alternate_healthy}
    known = {name: {} if value is None else {0: float(value)} for name, value in given.items()}
    assert set(known) == {query["Id"] for query in metrics if "MetricStat" in query}
    assert evaluate(expression, known, range(1)) == ({} if each is None else {0: each})
    # The newest minute's requests come late: neither the peak nor the quiet minute before it ends.
    late = known | {"requests": {0: 9000.0, 1: 600.0}, "healthy": {0: 2.0, 1: 2.0, 2: 2.0}, "alternate_healthy": {}}
    assert evaluate(expression, late, range(3)) == {0: 4500.0, 1: 300.0, 2: 300.0}


def test_the_exception_of_the_readme_changes_one_environment(generated: Callable[..., Path], tmp_path: Path) -> None:
    root = shutil.copytree(generated(), tmp_path / "service")
    readme, template = (root / "README.md").read_text(), root / "infrastructure" / "alarms.yaml"
    (conditions,) = EXAMPLE.findall(readme)
    (threshold,) = re.findall(r"`(Threshold: !If .*?)`", readme)
    text = template.read_text().replace("\nResources:\n", f"\n{conditions}\nResources:\n")
    changed = text.replace("Threshold: 5\n", f"{threshold}\n")
    assert changed.count(threshold) == 1
    template.write_text(changed)
    thresholds = {
        alarm["AlarmName"]: alarm["Threshold"]
        for stack in load(root).values()
        for _, alarm in stack.of_type("AWS::CloudWatch::Alarm")
        if re.fullmatch(r"hello-service-[a-z]+-5xx", alarm["AlarmName"])
    }
    assert thresholds == {"hello-service-dev-5xx": 5, "hello-service-staging-5xx": 100, "hello-service-prod-5xx": 5}


HOURS = "MON-FRI 07-19 Europe/Berlin"
ASLEEP = {"nobody": Minute(EMPTY, EMPTY), "requests": Minute(EMPTY, EMPTY, unanswered=50)}


@reported
@pytest.mark.parametrize("night", ASLEEP)
def test_no_alarm_fires_over_an_empty_night(
    stacks_of: Callable[..., Stacks], night: str, late: int, sparse: bool
) -> None:
    """From an evening, in which the last tasks end, to the morning, in which the first one is not healthy yet."""
    answers = {"environments": "dev,live", "customize": True, "office_hours": HOURS}
    dev = {name: stack for name, stack in stacks_of(**answers).items() if not name.startswith("hello-service-live-")}
    evening = replace(NORMAL, unanswered=20)
    morning = Minute(Group(healthy=0), EMPTY, unanswered=20)
    minutes = [NORMAL] * BEFORE + [evening] + [ASLEEP[night]] * DURING + [morning] + [NORMAL] * AFTER
    assert fired(play(dev, minutes, late, sparse), 5, len(minutes)) == set()
    # What is wrong by day is noticed as everywhere.
    for fault, expected in FAULTS.values():
        states = play(dev, [NORMAL] * BEFORE + [fault] * DURING, late, sparse)
        assert fired(states, BEFORE, BEFORE + DURING) == expected
    # Production rings.
    live = {name: stack for name, stack in stacks_of(**answers).items() if not name.startswith("hello-service-dev-")}
    assert "no-healthy-task" in fired(play(live, minutes, late, sparse), BEFORE, BEFORE + DURING)
