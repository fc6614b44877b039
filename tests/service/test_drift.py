"""Each night, what runs is compared with what was released: people are told of differences, and of nothing else."""

from __future__ import annotations

import itertools
import json
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.service.conftest import run_script

TOLD, FAILED, USAGE = 0, 1, 2
OLD, NEW = (
    "arn:aws:ecs:eu-west-1:1:task-definition/orders-prod:1",
    "arn:aws:ecs:eu-west-1:1:task-definition/orders-prod:2",
)
COMMIT, OTHER = "a" * 40, "b" * 40
MAIL, CHAT = (f"arn:aws:sns:eu-west-1:1:orders-{name}" for name in ("notifications", "chat"))
RECORD = {"name": "n", "commit": COMMIT, "tag": "vn", "image": f"image of {NEW}", "finished": "2026-01-01T00:00:00Z"}
POINTER = {"name": "n", "commit": COMMIT, "since": "2026-01-01T00:00:00Z"}


class Night:
    """The script of a service that has released the commit to dev and prod, and what AWS answers."""

    def __init__(self, script: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.script, self.monkeypatch = script, monkeypatch
        self.stages: dict[str, dict[str, Any]] = {one: {"status": "Succeeded"} for one in ("Dev", "Prod")}
        self.inbound: set[str] = set()
        self.stack = dict.fromkeys(("dev", "prod"), ("UPDATE_COMPLETE", NEW))
        self.released = dict.fromkeys(("Dev", "Prod"), NEW)
        self.runs: dict[str, str | None] = dict.fromkeys(("dev", "prod"), NEW)
        self.documents: dict[str, Any] = {"releases/production.json": POINTER, "releases/n/release.json": RECORD}
        self.references = {"refs/tags/vn": COMMIT, "refs/heads/env/prod": COMMIT}
        self.refused = ""
        self.messages: list[tuple[str, str]] = []
        self.pauses: list[float] = []
        self.meanwhile: Callable[[], object] = lambda: None

    def run(self, **variables: str) -> subprocess.CompletedProcess[str]:
        given = {"APP_NAME": "orders", "ENVIRONMENTS": "dev prod", "PRODUCTION": "prod", "BRANCHES": "prod"}
        given |= {"ARTIFACT_BUCKET": "artifacts", "NOTIFICATION_TOPIC": MAIL}
        self.monkeypatch.setattr(time, "sleep", self.pause)
        return run_script(self.monkeypatch, self.script, self.command, given | variables)

    def pause(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.meanwhile()

    def command(self, words: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        option = dict(itertools.pairwise(words))
        if words[1] == self.refused:
            return subprocess.CompletedProcess(words, 254, "", "An error occurred (AccessDeniedException): no")
        if words[1] == "s3api":
            found = self.documents.get(option.get("--key", option.get("--prefix", "")))
            if words[2] == "get-object":
                Path(words[3]).write_text(json.dumps(found))
                return _answer(words, {})
            return _answer(words, {"Contents": [{"Key": option["--prefix"]}]} if found else {})
        request = json.loads(option["--cli-input-json"])
        if words[2] == "get-folder":
            commit = self.references.get(request["commitSpecifier"])
            if commit is None:
                return subprocess.CompletedProcess(
                    words, 254, "", "An error occurred (CommitDoesNotExistException): no"
                )
            return _answer(words, {"commitId": commit})
        return _answer(words, getattr(self, words[2].replace("-", "_"))(**request))

    def publish(self, TopicArn: str, Message: str, **_: str) -> dict[str, Any]:  # noqa: N803
        self.messages.append((TopicArn, Message))
        return {}

    def get_pipeline_state(self, name: str) -> dict[str, Any]:
        def state(stage: str, latest: dict[str, Any]) -> dict[str, Any]:
            inbound = [{"pipelineExecutionId": "next"}] if stage in self.inbound else []
            return {
                "stageName": stage,
                "latestExecution": {"pipelineExecutionId": stage, "type": "STANDARD", **latest},
                "inboundExecutions": inbound,
            }

        return {"stageStates": [state(*one) for one in self.stages.items()]}

    def list_action_executions(self, filter: dict[str, str], **_: str) -> dict[str, Any]:  # noqa: A002
        stage = filter["pipelineExecutionId"]
        given = json.dumps({"TaskDefinitionArn": self.released[stage]})
        service = {"stageName": stage, "actionName": "Service", "status": "Succeeded"}
        source = {"stageName": "Source", "actionName": "Source", "status": "Succeeded"}
        return {
            "actionExecutionDetails": [
                {**service, "input": {"resolvedConfiguration": {"ParameterOverrides": given}}},
                {**source, "output": {"outputVariables": {"CommitId": COMMIT}}},
            ]
        }

    def describe_stacks(self, StackName: str) -> dict[str, Any]:  # noqa: N803
        status, definition = self.stack[StackName.removeprefix("orders-").removesuffix("-service")]
        parameters = [{"ParameterKey": "TaskDefinitionArn", "ParameterValue": definition}] if definition else []
        stack = {
            "StackStatus": status,
            "Parameters": parameters,
            "CreationTime": "2026-01-01",
            "LastUpdatedTime": "2026-01-02",
        }
        return {"Stacks": [stack]}

    def describe_services(self, cluster: str, services: list[str]) -> dict[str, Any]:
        runs = self.runs[services[0].removeprefix("orders-")]
        deployments = [{"status": "PRIMARY", "createdAt": "2026-01-03"}]
        return {"services": [{"status": "ACTIVE", "taskDefinition": runs, "deployments": deployments}] if runs else []}

    def describe_task_definition(self, taskDefinition: str) -> dict[str, Any]:  # noqa: N803
        return {"taskDefinition": {"containerDefinitions": [{"image": f"image of {taskDefinition}"}]}}


def _answer(words: list[str], document: dict[str, Any]) -> subprocess.CompletedProcess[str]:
    return subprocess.CompletedProcess(words, 0, json.dumps(document), "")


@pytest.fixture
def night(generated: Path, monkeypatch: pytest.MonkeyPatch) -> Night:
    return Night(generated / "config/scripts/drift.py", monkeypatch)


def test_what_was_released_and_runs_is_no_news(night: Night) -> None:
    done = night.run()
    assert (done.returncode, done.stdout, done.stderr) == (TOLD, "What runs is what was released.\n", "")
    assert (night.messages, night.pauses) == ([], [])


DRIFT: dict[str, tuple[Callable[[Night], object], str]] = {
    "another task definition": (
        lambda night: night.runs.update(prod=OLD),
        f"- prod: the ECS service runs the task definition orders-prod:1 with image of {OLD} since 2026-01-03, but its"
        f" stack has orders-prod:2 with image of {NEW}. To return to that: aws ecs update-service --cluster orders-prod"
        f" --service orders-prod --task-definition {NEW}",
    ),
    "no service": (lambda night: night.runs.update(dev=None), "- dev: the ECS service orders-dev was deleted."),
    "another stack": (
        lambda night: (night.stack.update(dev=("UPDATE_COMPLETE", OLD)), night.runs.update(dev=OLD)),
        "- dev: its stack has the task definition orders-prod:1 since 2026-01-02, but the last release has given it"
        " orders-prod:2. To release again: aws codepipeline start-pipeline-execution --name orders",
    ),
    "another record": (
        lambda night: night.documents.update({"releases/n/release.json": {**RECORD, "image": "other"}}),
        f"- prod: the release n of commit {COMMIT}, in production since 2026-01-01T00:00:00Z, has the image other, but",
    ),
    "no tag": (
        lambda night: night.references.pop("refs/tags/vn"),
        f"is missing. To restore it: git push --force origin {COMMIT}:refs/tags/vn",
    ),
    "another tag": (lambda night: night.references.update({"refs/tags/vn": OTHER}), f"leads to {OTHER}. To restore it"),
    "another branch": (
        lambda night: night.references.update({"refs/heads/env/prod": OTHER}),
        f"- prod: the branch env/prod leads to {OTHER}, but the last release is of {COMMIT}.",
    ),
}


@pytest.mark.parametrize(("spoil", "words"), DRIFT.values(), ids=DRIFT)
def test_people_are_told_what_differs_and_what_to_do(
    night: Night, spoil: Callable[[Night], object], words: str
) -> None:
    spoil(night)
    done = night.run(CHAT_TOPIC=CHAT)
    assert (done.returncode, done.stderr) == (TOLD, "")
    (mail, text), (chat, document) = night.messages
    assert (mail, chat, json.loads(document)["content"]["description"]) == (MAIL, CHAT, text)
    first, line, empty, end = text.split("\n")
    assert (first, empty) == ("orders:", "")
    assert words in line
    assert "`scaffold status --drift`" in end


KNOWN: dict[str, Callable[[Night], object]] = {
    "a release is under way": lambda night: night.stages.update(Prod={"status": "InProgress"}),
    "its stack is being updated": lambda night: night.stack.update(prod=("UPDATE_IN_PROGRESS", NEW)),
    "a failed rollback": lambda night: night.stack.update(prod=("UPDATE_ROLLBACK_FAILED", NEW)),
    "nothing was released": lambda night: night.stack.update(prod=("CREATE_COMPLETE", "")),
    "it ends within a minute": lambda night: setattr(
        night, "meanwhile", lambda: (night.runs.update(prod=NEW), night.references.update(PUT_BACK))
    ),
}
PUT_BACK = {"refs/tags/vn": COMMIT, "refs/heads/env/prod": COMMIT}


@pytest.mark.parametrize("known", KNOWN.values(), ids=KNOWN)
def test_what_people_know_is_not_told(night: Night, known: Callable[[Night], object]) -> None:
    night.runs["prod"] = OLD
    night.references.clear()
    known(night)
    done = night.run()
    assert (done.returncode, done.stderr, night.messages) == (TOLD, "", [])


BRANCH_WAITS: dict[str, Callable[[Night], object]] = {
    "the approval": lambda night: night.stages.update({"Approve-Prod": {"status": "InProgress"}}),
    "the plan": lambda night: night.stages.update({"Plan-Prod": {"status": "InProgress"}}),
    "the window": lambda night: night.inbound.add("Prod"),
    "a rollback": lambda night: night.stages["Prod"].update(type="ROLLBACK"),
    "a failed release": lambda night: night.stages["Prod"].update(status="Failed"),
}


@pytest.mark.parametrize("waits", BRANCH_WAITS.values(), ids=BRANCH_WAITS)
def test_a_branch_may_be_ahead_of_what_runs(night: Night, waits: Callable[[Night], object]) -> None:
    night.references["refs/heads/env/prod"] = OTHER
    waits(night)
    assert (night.run().returncode, night.messages) == (TOLD, [])


@pytest.mark.parametrize("service", ["codepipeline", "cloudformation", "ecs", "s3api", "sns"])
def test_what_keeps_people_from_being_told_fails_the_build(night: Night, service: str) -> None:
    night.runs["dev"] = OLD
    night.refused = service
    done = night.run()
    assert (done.returncode, "AccessDenied" in done.stderr) == (FAILED, True), done.stderr


def test_missing_variables_are_named(night: Night) -> None:
    done = night.run(PRODUCTION="")
    assert (done.returncode, done.stderr) == (USAGE, "Set PRODUCTION.\n")
