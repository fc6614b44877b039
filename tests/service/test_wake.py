"""A release wakes an environment that is asleep, and nothing lets it fall asleep before the release is over."""

from __future__ import annotations

import json
import subprocess
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.kits import ROOT
from tests.service.conftest import run_script

SCRIPT = ROOT / "template/config/scripts/{% if sleeping_environments %}wake.py{% endif %}"
GIVEN = {"APP_NAME": "orders", "ENVIRONMENT_NAME": "dev", "MINUTES": "181", "ON_FAILURE": "ROLLBACK"}
AWAKE, ASLEEP, USAGE_ERROR = 0, 1, 2
SERVICE = "service/orders-dev/orders-dev"
SLEEP = {"ScheduledActionName": "sleep", "Schedule": "cron(0 19 * * ? *)", "Timezone": "Europe/Berlin"}
WAKE = {"ScheduledActionName": "wake", "Schedule": "cron(0 7 ? * MON *)", "Timezone": "Europe/Berlin"}


class Night:
    """The environment.

    Attributes:
        tasks: How many it should have, at each look.
        most: The largest number that Application Auto Scaling allows.
        refused: The operation that AWS refuses.
        made: The calls that changed something, with their input.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.monkeypatch = monkeypatch
        self.tasks, self.most, self.refused = [0, 0, 1], 0, ""
        self.actions = [
            {**SLEEP, "StartTime": "2026-01-01", "ScalableTargetAction": {"MinCapacity": 0, "MaxCapacity": 0}},
            {**WAKE, "ScalableTargetAction": {"MinCapacity": 1, "MaxCapacity": 3}},
        ]
        self.made: dict[str, dict[str, Any]] = {}

    def run(self, **variables: str) -> subprocess.CompletedProcess[str]:
        options = ["--looks", "3", "--pause-seconds", "0"]
        return run_script(self.monkeypatch, SCRIPT, self.aws, {**GIVEN, **variables}, options)

    def aws(self, command: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        operation, given = command[2], json.loads(command[command.index("--cli-input-json") + 1])
        if operation == self.refused:
            return subprocess.CompletedProcess(command, 254, "", "An error occurred (AccessDeniedException): no")
        answers = {
            "describe-scheduled-actions": {"ScheduledActions": self.actions},
            "describe-scalable-targets": {"ScalableTargets": [{"MaxCapacity": self.most}]},
            "describe-services": {"services": [{"desiredCount": self.tasks[0]}]},
        }
        if operation == "describe-services":
            self.tasks = self.tasks[1:] or self.tasks
        if operation not in answers:
            self.made[operation] = given
        return subprocess.CompletedProcess(command, 0, json.dumps(answers.get(operation, {})), "")


@pytest.fixture
def night(monkeypatch: pytest.MonkeyPatch) -> Night:
    return Night(monkeypatch)


def test_an_environment_wakes_and_does_not_fall_asleep_during_the_release(night: Night) -> None:
    done = night.run()
    assert (done.returncode, done.stderr) == (AWAKE, "")
    assert done.stdout.endswith("dev wakes with 1 task.\n")
    target = {"ServiceNamespace": "ecs", "ResourceId": SERVICE, "ScalableDimension": "ecs:service:DesiredCount"}
    assert night.made["register-scalable-target"] == {**target, "MinCapacity": 1, "MaxCapacity": 3}
    put = night.made["put-scheduled-action"]
    starts = datetime.fromisoformat(put.pop("StartTime"))
    assert timedelta(minutes=179) < starts - datetime.now(UTC) <= timedelta(minutes=181)
    assert put == {**target, **SLEEP, "ScalableTargetAction": {"MinCapacity": 0, "MaxCapacity": 0}}


def test_an_environment_that_is_awake_keeps_its_tasks(night: Night) -> None:
    night.tasks, night.most = [2], 3
    done = night.run()
    assert (done.returncode, done.stdout.splitlines()[-1]) == (AWAKE, "dev is awake.")
    assert set(night.made) == {"put-scheduled-action"}


@pytest.mark.parametrize("known", [0, 1])
def test_the_first_release_finds_no_office_hours(night: Night, known: int) -> None:
    night.actions = night.actions[:known]
    done = night.run()
    assert (done.returncode, done.stdout, night.made) == (AWAKE, "dev has no office hours yet.\n", {})


def test_what_does_not_wake_fails_the_stage(night: Night) -> None:
    night.tasks = [0]
    done = night.run()
    assert (done.returncode, done.stderr) == (
        ASLEEP,
        "dev does not wake: Application Auto Scaling starts no task; release again.\n",
    )


@pytest.mark.parametrize(
    "operation", ["describe-scheduled-actions", "put-scheduled-action", "register-scalable-target"]
)
def test_a_refusal_fails_the_stage(night: Night, operation: str) -> None:
    night.refused = operation
    done = night.run()
    assert done.returncode == ASLEEP
    assert done.stderr.startswith(
        "dev does not wake: An error occurred (AccessDeniedException): no; run `scaffold deploy`"
    )


@pytest.mark.parametrize("wrong", [{"MINUTES": ""}, {"MINUTES": "-1"}, {"MINUTES": "1.5"}, {"APP_NAME": ""}])
def test_variables_that_are_missing_are_named(night: Night, wrong: dict[str, str]) -> None:
    done = night.run(**wrong)
    assert (done.returncode, done.stderr) == (USAGE_ERROR, "Set APP_NAME, ENVIRONMENT_NAME, MINUTES.\n")
