"""Releases to an environment with office hours, by night and by day, through the pipeline and with tasks that run."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from scaffold.deployment.status import EnvironmentStatus
from tests.deploy.services import client, commit, listed
from tests.engine.tasks.test_running import wait
from tests.release.rehearsals import APPLICATION, small_service
from tests.release.services import look, release, roll_back, stage

# Several releases, each with builds.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

APP = "drowsy"
NAME = f"{APP}-dev"
ANSWERS: dict[str, Any] = {
    "app_name": APP,
    "environments": "dev,live",
    "customize": True,
    "approval": "none",
    "office_hours": "MON-FRI 07-19 Europe/Berlin",
    "environment_overrides": {"dev": {"min_tasks": 2, "max_tasks": 4}},
}
TARGET = {
    "ServiceNamespace": "ecs",
    "ResourceId": f"service/{NAME}/{NAME}",
    "ScalableDimension": "ecs:service:DesiredCount",
}
ASLEEP = (0, 0)


def limits() -> tuple[int, int]:
    """Between which numbers of tasks the environment scales."""
    found = client("application-autoscaling").describe_scalable_targets(
        ServiceNamespace="ecs", ResourceIds=[TARGET["ResourceId"]]
    )
    (target,) = found["ScalableTargets"]
    return target["MinCapacity"], target["MaxCapacity"]


def schedule() -> dict[str, Any]:
    """The scheduled actions by name: when, in what time zone, and the limits that they set."""
    found = client("application-autoscaling").describe_scheduled_actions(**TARGET)["ScheduledActions"]
    return {
        one["ScheduledActionName"]: (
            one["Schedule"],
            one["Timezone"],
            tuple(one["ScalableTargetAction"][key] for key in ("MinCapacity", "MaxCapacity")),
        )
        for one in found
    }


def begins(action: str) -> datetime | None:
    """The time before which a scheduled action does nothing."""
    found = client("application-autoscaling").describe_scheduled_actions(**TARGET, ScheduledActionNames=[action])
    (one,) = found["ScheduledActions"]
    begin: datetime | None = one.get("StartTime")
    return begin


def fall_asleep() -> None:
    """Do what the scheduled action `sleep` does in the evening."""
    client("application-autoscaling").register_scalable_target(**TARGET, MinCapacity=0, MaxCapacity=0)
    wait(lambda: running() == 0)


def running() -> int:
    """How many tasks run."""
    (service,) = client("ecs").describe_services(cluster=NAME, services=[NAME])["services"]
    return int(service["runningCount"])


def dev(root: Path) -> EnvironmentStatus:
    (found,) = [one for one in look(root).environments if one.name == "dev"]
    return found


def said() -> list[str]:
    """The last line of each build that woke the environment, the oldest first."""
    group = f"/{APP}/pipeline/wake"
    streams = listed("logs", "describe_log_streams", "logStreams", logGroupName=group)
    streams.sort(key=lambda one: one["creationTime"])
    found = []
    for stream in streams:
        events = client("logs").get_log_events(
            logGroupName=group, logStreamName=stream["logStreamName"], startFromHead=True
        )["events"]
        found.append([one["message"].strip() for one in events if one["message"].startswith("dev ")][-1])
    return found


def outcome(execution: str | None) -> str:
    """The status of an execution of the pipeline."""
    found = client("codepipeline").get_pipeline_execution(pipelineName=APP, pipelineExecutionId=execution)
    status: str = found["pipelineExecution"]["status"]
    assert status in ("InProgress", "Succeeded")
    return status


def actions() -> dict[str, str]:
    """The status of each action of the environment's stage."""
    return {one["actionName"]: one["latestExecution"]["status"] for one in stage(APP, "Dev")["actionStates"]}


def change_limits(root: Path, least: int, largest: int) -> None:
    """Commit what other answers generate."""
    path = root / "infrastructure/dev/service.json"
    given = json.loads(path.read_text())
    given["Parameters"] |= {"MinTasks": str(least), "MaxTasks": str(largest)}
    path.write_text(json.dumps(given, indent=2))
    commit(root)


def test_a_release_wakes_an_environment_and_leaves_one_that_is_awake_alone(aws: None, tmp_path: Path) -> None:
    root = small_service(tmp_path / APP, **ANSWERS)
    assert release(root).exit_code == 0
    (first,) = said()
    assert first == "dev has no office hours yet."
    assert (limits(), dev(root).asleep) == ((2, 4), False)
    hours = schedule()
    assert {name: (zone, numbers) for name, (_, zone, numbers) in hours.items()} == {
        "sleep": ("Europe/Berlin", ASLEEP),
        "wake": ("Europe/Berlin", (2, 4)),
    }
    old = dev(root).version

    # By night, nothing answers and nothing would be tested.
    fall_asleep()
    asleep = dev(root)
    assert (asleep.asleep, asleep.answers, limits()) == (True, None, ASLEEP)
    started = datetime.now(UTC)
    commit(root, app__src__main_mjs=f"{APPLICATION}// 2\n")
    assert release(root).exit_code == 0
    assert said()[1:] == ["dev wakes with 2 tasks."]
    awake = dev(root)
    assert awake.version != old
    assert awake.answers == awake.version
    assert (awake.asleep, limits(), running()) == (False, (2, 4), 2)
    assert set(actions().values()) == {"Succeeded"}
    assert {"Wake", "Tests"} <= actions().keys()
    # The schedule is as the answers say, and begins again once the release is over.
    assert (schedule(), begins("wake")) == (hours, None)
    postponed = begins("sleep")
    assert postponed
    assert postponed > started

    # By day, a number of tasks to which it has scaled stays.
    client("ecs").update_service(cluster=NAME, service=NAME, desiredCount=3)
    wait(lambda: running() == 3)
    commit(root, app__src__main_mjs=f"{APPLICATION}// 3\n")
    assert release(root).exit_code == 0
    assert said()[2:] == ["dev is awake."]
    assert (dev(root).answers, limits(), running()) == (dev(root).version, (2, 4), 3)
    assert schedule() == hours

    # Other answers that are released by night hold from then on.
    fall_asleep()
    change_limits(root, 1, 5)
    assert release(root).exit_code == 0
    assert said()[3:] == ["dev wakes with 2 tasks."]
    assert (limits(), schedule()["wake"][2]) == ((1, 5), (1, 5))
    assert schedule()["sleep"] == hours["sleep"]
    assert dev(root).answers == dev(root).version

    # So does the way back to an earlier release.
    fall_asleep()
    execution = roll_back(root, "dev").execution
    wait(lambda: outcome(execution) == "Succeeded", 180)
    assert said()[4:] == ["dev wakes with 1 task."]
    assert (dev(root).answers, limits(), schedule()) == (dev(root).version, (2, 4), hours)
    wait(lambda: running() == 2)
