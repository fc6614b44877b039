"""The migrations of a release: their task is the environment's own, and the release stops where it fails."""

from __future__ import annotations

import itertools
import json
import subprocess
import time
from typing import Any

import pytest

from tests.kits import ROOT
from tests.service.conftest import run_script

SCRIPT = ROOT / "template/config/scripts/{% if databases %}migrate.py{% endif %}"
GIVEN = {
    "APP_NAME": "orders",
    "ENVIRONMENT_NAME": "dev",
    "POLL_SECONDS": "0",
    "CODEBUILD_BUILD_ID": "orders-migrate:7e",
}
MIGRATED, FAILED, USAGE_ERROR, NOT_RUN = 0, 1, 2, 3
DEFINITIONS = "arn:aws:ecs:us-east-1:123456789012:task-definition"
TASK = "arn:aws:ecs:us-east-1:123456789012:task/orders-dev/0123456789abcdef"
OUTPUTS = {
    "MigrationTaskDefinitionArn": f"{DEFINITIONS}/orders-dev--migrate:3",
    "MigrationSubnets": "subnet-a,subnet-b",
    "MigrationSecurityGroup": "sg-1",
    "MigrationPublicIp": "ENABLED",
}
STARTING = ["PROVISIONING", "PENDING", "PENDING", "RUNNING"]
ENDED = {"lastStatus": "STOPPED", "containers": [{"name": "migrate", "exitCode": 0}]}


class Environment:
    """The environment's stack, ECS and the log.

    Attributes:
        tasks: What ECS describes, at each look.
        pages: The messages of each page of the log; none if there is no log.
        made: The calls, with their input.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.monkeypatch = monkeypatch
        self.outputs, self.started = dict(OUTPUTS), {"tasks": [{"taskArn": TASK}], "failures": []}
        self.tasks: list[list[dict[str, Any]]] = [[{"lastStatus": status}] for status in STARTING] + [[ENDED]]
        self.pages = [["one"], ["two", "three"], []]
        self.made: list[tuple[str, dict[str, Any]]] = []

    def run(self, **variables: str) -> subprocess.CompletedProcess[str]:
        return run_script(self.monkeypatch, SCRIPT, self.aws, {**GIVEN, **variables})

    def aws(self, command: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        operation, given = command[2], json.loads(command[command.index("--cli-input-json") + 1])
        self.made.append((operation, given))
        answer: dict[str, Any] = {}
        match operation:
            case "describe-stacks":
                outputs = [{"OutputKey": key, "OutputValue": value} for key, value in self.outputs.items()]
                answer = {"Stacks": [{"Outputs": outputs}]}
            case "run-task":
                answer = self.started
            case "describe-tasks":
                answer = {"tasks": self.tasks[0]}
                self.tasks = self.tasks[1:] or self.tasks
            case "get-log-events":
                if not self.pages:
                    error = "An error occurred (ResourceNotFoundException): no stream"
                    return subprocess.CompletedProcess(command, 254, "", error)
                page = int(given.get("nextToken", "0"))
                events = [{"message": text} for text in self.pages[page]]
                answer = {"events": events, "nextForwardToken": str(min(page + 1, len(self.pages) - 1))}
        return subprocess.CompletedProcess(command, 0, json.dumps(answer), "")

    def input_of(self, operation: str) -> dict[str, Any]:
        (found,) = [given for made, given in self.made if made == operation]
        return found


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> Environment:
    return Environment(monkeypatch)


def test_the_environments_own_task_migrates_and_its_log_is_shown(environment: Environment) -> None:
    done = environment.run()
    assert (done.returncode, done.stderr) == (MIGRATED, "")
    states = [f"The task is {state}." for state in ("PROVISIONING", "PENDING", "RUNNING")]
    log = ["  one", "  two", "  three"]
    first, *others, last = done.stdout.splitlines()
    assert (first, others) == (f"Migrating the database of dev with the task {TASK}", [*states, *log])
    assert last == "Migration passed: the database of dev has the schema of this release."
    assert environment.input_of("run-task") == {
        "cluster": "orders-dev",
        "taskDefinition": f"{DEFINITIONS}/orders-dev--migrate:3",
        "launchType": "FARGATE",
        "startedBy": "migrate",
        # A call that is repeated starts no second task.
        "clientToken": "7e",
        "networkConfiguration": {
            "awsvpcConfiguration": {
                "subnets": ["subnet-a", "subnet-b"],
                "securityGroups": ["sg-1"],
                "assignPublicIp": "ENABLED",
            }
        },
    }
    group, stream = "/orders/dev", "migrations/migrate/0123456789abcdef"
    logs = [given for made, given in environment.made if made == "get-log-events"]
    assert {(one["logGroupName"], one["logStreamName"]) for one in logs} == {(group, stream)}


def test_a_migration_that_fails_ends_with_its_last_lines_and_a_remedy(environment: Environment) -> None:
    environment.tasks = [[{**ENDED, "containers": [{"name": "migrate", "exitCode": 1}]}]]
    done = environment.run()
    assert done.returncode == FAILED
    assert done.stdout.endswith("  two\n  three\n")
    assert done.stderr == (
        "Migration failed: it ended with exit code 1; correct it with another commit. dev continues with the version"
        " that it has.\n"
    )


@pytest.mark.parametrize(
    ("task", "reason"),
    [
        (
            {"stoppedReason": "TaskFailedToStart", "containers": [{"name": "migrate", "reason": "no secret."}]},
            "TaskFailedToStart no secret",
        ),
        ({"containers": []}, "its task did not start"),
        # A container beside it says nothing about the migration.
        ({"stoppedReason": "Stopped", "containers": [{"name": "other", "exitCode": 0}]}, "Stopped"),
    ],
)
def test_a_task_that_does_not_start_says_why(environment: Environment, task: dict[str, Any], reason: str) -> None:
    environment.tasks, environment.pages = [[{"lastStatus": "STOPPED", **task}]], []
    done = environment.run()
    assert done.returncode == FAILED
    assert "Its log cannot be read: " in done.stdout
    assert done.stderr.startswith(f"Migration failed: {reason}; correct it")


@pytest.mark.parametrize(
    "definition",
    [
        f"{DEFINITIONS}/orders-prod--migrate:3",
        f"{DEFINITIONS}/orders-dev:3",
        f"{DEFINITIONS}/orders-dev--migrate-2:3",
        f"{DEFINITIONS}/x-orders-dev--migrate:3",
        f"{DEFINITIONS}/orders-dev--migrate",
        f"{DEFINITIONS}/orders-dev--migrate:3\n",
        "orders-dev--migrate:3",
        "",
    ],
)
def test_no_task_of_another_family_is_started(environment: Environment, definition: str) -> None:
    environment.outputs["MigrationTaskDefinitionArn"] = definition
    done = environment.run()
    assert done.returncode == NOT_RUN
    wrong = "names no task definition orders-dev--migrate; restore its template"
    assert done.stderr == f"Migration failed: the stack orders-dev-task-definition {wrong}.\n"
    assert [made for made, _ in environment.made] == ["describe-stacks"]


def test_a_stack_without_the_outputs_starts_nothing(environment: Environment) -> None:
    del environment.outputs["MigrationSubnets"]
    done = environment.run()
    assert done.returncode == NOT_RUN
    assert "has no outputs for migrations; restore its template" in done.stderr
    assert [made for made, _ in environment.made] == ["describe-stacks"]


def test_what_ecs_cannot_start_says_why(environment: Environment) -> None:
    environment.started = {"tasks": [], "failures": [{"reason": "RESOURCE:ENI"}]}
    done = environment.run()
    assert done.returncode == NOT_RUN
    assert "ECS did not start the migration: RESOURCE:ENI;" in done.stderr


def test_a_task_that_ecs_does_not_know_yet_is_awaited(environment: Environment) -> None:
    environment.tasks[:0] = [[], []]
    assert environment.run().returncode == MIGRATED


def test_a_task_that_ecs_never_describes_is_an_error(environment: Environment, monkeypatch: pytest.MonkeyPatch) -> None:
    environment.tasks = [[]]
    passing(monkeypatch, seconds=20)
    done = environment.run()
    assert done.returncode == NOT_RUN
    assert f"did not describe {TASK}" in done.stderr


def test_a_task_that_does_not_end_is_stopped(environment: Environment, monkeypatch: pytest.MonkeyPatch) -> None:
    environment.tasks = [[{"lastStatus": "RUNNING"}]]
    passing(monkeypatch, seconds=1000)
    done = environment.run()
    assert done.returncode == NOT_RUN
    assert "the migration had not ended after 50 minutes; shorten it" in done.stderr
    stopped = environment.input_of("stop-task")
    assert (stopped["cluster"], stopped["task"]) == ("orders-dev", TASK)


def test_it_names_the_variables_that_it_needs(environment: Environment) -> None:
    done = environment.run(ENVIRONMENT_NAME="")
    assert (done.returncode, done.stderr) == (USAGE_ERROR, "Set APP_NAME, ENVIRONMENT_NAME.\n")
    assert environment.made == []


def passing(monkeypatch: pytest.MonkeyPatch, seconds: int) -> None:
    """Let this much time pass between two looks at the clock."""
    clock = itertools.count(0, seconds)
    monkeypatch.setattr(time, "monotonic", lambda: float(next(clock)))
