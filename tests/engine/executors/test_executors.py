"""Builds, approvals and rules. CodeBuild's answers are checked against botocore's model of its API."""

from __future__ import annotations

import threading
import time
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from scaffold.engine.clock import Clock
from scaffold.engine.executors.approval import ManualApproval
from scaffold.engine.executors.codebuild import CodeBuildAction
from scaffold.engine.executors.rules import variable_check
from scaffold.engine.pipeline.jobs import Failed, Location, Outcome, Progress, Succeeded
from tests.engine.executors.jobs import job

IDENTIFIER = "build:00000000-0000-0000-0000-000000000000"


class CodeBuild:
    """CodeBuild's API, with scripted answers."""

    def __init__(self) -> None:
        self.client = boto3.Session().client("codebuild", "us-east-1", aws_access_key_id="a", aws_secret_access_key="b")
        self.stub = Stubber(self.client)
        self.stub.activate()

    def __call__(self, service: str, region: str) -> Any:
        assert (service, region) == ("codebuild", "us-east-1")
        return self.client

    def starts(self, **expected: Any) -> None:
        self.stub.add_response("start_build", {"build": _build("IN_PROGRESS")}, expected)

    def answers(self, status: str, **more: Any) -> None:
        found = {"builds": [_build(status, **more)]}
        self.stub.add_response("batch_get_builds", found, {"ids": [IDENTIFIER]})


def _build(status: str, **more: Any) -> dict[str, Any]:
    logs = {"deepLink": "https://logs", "cloudWatchLogsArn": "arn:logs"}
    return {"id": IDENTIFIER, "buildStatus": status, "logs": logs} | more


def built(api: CodeBuild, **more: str) -> tuple[Outcome, list[Progress]]:
    made, reports = job({"ProjectName": "build"} | more)
    return CodeBuildAction(api)(made), reports  # type: ignore[arg-type]


EXPECTED = {
    "projectName": "build",
    "sourceTypeOverride": "S3",
    "sourceLocationOverride": "bucket/key",
    "environmentVariablesOverride": [],
}


def test_a_build_exports_variables() -> None:
    api = CodeBuild()
    variable = {"name": "URL", "value": "http://x", "type": "PLAINTEXT"}
    api.starts(**EXPECTED | {"environmentVariablesOverride": [variable]})
    api.answers("IN_PROGRESS")
    api.answers("SUCCEEDED", exportedEnvironmentVariables=[{"name": "IMAGE_TAG", "value": "1"}])
    outcome, reports = built(api, EnvironmentVariables='[{"name": "URL", "value": "http://x"}]')
    assert outcome == Succeeded(variables={"IMAGE_TAG": "1"})
    assert reports[-1] == Progress(IDENTIFIER, "", "https://logs", "arn:logs")
    api.stub.assert_no_pending_responses()


def test_a_failed_build_names_its_phase() -> None:
    api = CodeBuild()
    api.starts(**EXPECTED)
    context = {"statusCode": "COMMAND_EXECUTION_ERROR", "message": "Error while executing command: make."}
    phases = [
        {"phaseType": "INSTALL", "phaseStatus": "SUCCEEDED"},
        {"phaseType": "BUILD", "phaseStatus": "FAILED", "contexts": [context]},
    ]
    api.answers("FAILED", phases=phases)
    expected = (
        "Build terminated with state: FAILED. Phase: BUILD, Code: COMMAND_EXECUTION_ERROR, "
        "Message: Error while executing command: make."
    )
    assert built(api)[0] == Failed("JobFailed", expected)


def test_a_build_that_is_refused_fails_the_action() -> None:
    api = CodeBuild()
    api.stub.add_client_error("start_build", "ResourceNotFoundException", "Project cannot be found")
    outcome, _ = built(api)
    assert isinstance(outcome, Failed)
    expected = "Error code: ResourceNotFoundException, message: Project cannot be found"
    assert outcome.message == f"Error calling startBuild. {expected}"


def test_a_build_gets_what_the_api_cannot_say() -> None:
    api = CodeBuild()
    api.answers("SUCCEEDED")
    asked: list[Any] = []

    def start(*given: Any) -> dict[str, Any]:
        asked.append(given)
        return _build("IN_PROGRESS")

    made, _ = job({"ProjectName": "build"})
    CodeBuildAction(api, start)(made)  # type: ignore[arg-type]
    assert asked == [("us-east-1", EXPECTED, "codepipeline/shop", "abc")]


def test_the_api_is_asked_when_a_build_has_ended() -> None:
    api, running = CodeBuild(), [True, True, False]
    api.starts(**EXPECTED)
    api.answers("SUCCEEDED")
    made, _ = job({"ProjectName": "build"})
    outcome = CodeBuildAction(api, runs=lambda region, build: running.pop(0))(made)  # type: ignore[arg-type]
    assert (outcome, running) == (Succeeded(), [])
    api.stub.assert_no_pending_responses()


@pytest.mark.parametrize(
    ("configuration", "more", "what"),
    [
        ({"BatchEnabled": "true"}, {}, "BatchEnabled"),
        ({}, {"outputs": {"Image": Location("bucket", "key")}}, "output artifacts"),
        ({}, {"inputs": {}}, "0 input artifacts"),
    ],
    ids=str,
)
def test_what_builds_do_not_rehearse_is_said(configuration: dict[str, str], more: dict[str, Any], what: str) -> None:
    made, _ = job({"ProjectName": "build"} | configuration, **more)
    outcome = CodeBuildAction(CodeBuild())(made)  # type: ignore[arg-type]
    assert isinstance(outcome, Failed)
    assert outcome.message == f"not rehearsed: {what} of a CodeBuild action"


def test_an_approval_times_out_after_seven_days() -> None:
    started = time.monotonic()
    made, _ = job({})
    outcome = ManualApproval(CodeBuild(), Clock(speed=7 * 24 * 3600 * 10))(made)  # type: ignore[arg-type]
    assert outcome == Failed("TimedOut", "The approval was not answered within 10080 minutes")
    assert 0.05 < time.monotonic() - started < 5


def test_an_approval_has_a_timeout_of_its_own() -> None:
    made, _ = job({}, declaration={"timeoutInMinutes": 5})
    outcome = ManualApproval(CodeBuild(), Clock(speed=300_000))(made)  # type: ignore[arg-type]
    assert outcome == Failed("TimedOut", "The approval was not answered within 5 minutes")


def test_an_answered_approval_waits_no_longer() -> None:
    ended = threading.Event()
    ended.set()
    made, _ = job({}, ended)
    started = time.monotonic()
    ManualApproval(CodeBuild(), Clock())(made)  # type: ignore[arg-type]
    assert time.monotonic() - started < 5


@pytest.mark.parametrize(
    ("operator", "value", "met"),
    [
        ("EQ", "main", True),
        ("EQ", "mai", False),
        ("NE", "main", False),
        ("NE", "other", True),
        ("CONTAINS", "ai", True),
        ("CONTAINS", "x", False),
        ("MATCHES", "m.*n", True),
        ("MATCHES", "m.*i", False),
        ("MATCHES", "(", False),
        ("GT", "1", False),
    ],
)
def test_a_variable_is_compared(operator: str, value: str, met: bool) -> None:
    made, _ = job({"Variable": "main", "Value": value, "Operator": operator})
    assert isinstance(variable_check(made), Succeeded) == met
