"""A release waits while its tasks run if its plan says so, and a rollback never does."""

from __future__ import annotations

import json
import subprocess
from typing import Any

import pytest

from tests.kits import ROOT
from tests.service.conftest import run_script

SCRIPT = ROOT / "template/config/scripts/{% if running_environments %}pause_minutes.py{% endif %}"
GIVEN = {"APP_NAME": "orders", "EXECUTION": "execution-1", "LONGEST_PAUSE": "480", "AWS_REGION": "eu-central-1"}


def printed(
    monkeypatch: pytest.MonkeyPatch, answer: dict[str, Any] | None, **given: str
) -> subprocess.CompletedProcess[str]:
    """Run the script; without an answer, AWS refuses the call."""

    def aws(command: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        assert command[1:3] == ["codepipeline", "get-pipeline-execution"]
        if answer is None:
            return subprocess.CompletedProcess(command, 254, "", "\nAn error occurred (Denied): no\n")
        return subprocess.CompletedProcess(command, 0, json.dumps({"pipelineExecution": answer}), "")

    return run_script(monkeypatch, SCRIPT, aws, {**GIVEN, "RUNNING": "", **given})


@pytest.mark.parametrize(
    ("running", "execution", "minutes"),
    [("yes", "STANDARD", "480"), ("no", "STANDARD", "0"), ("yes", "ROLLBACK", "0"), ("unknown", "STANDARD", "480")],
)
def test_the_minutes(monkeypatch: pytest.MonkeyPatch, running: str, execution: str, minutes: str) -> None:
    done = printed(monkeypatch, {"executionType": execution}, RUNNING=running)
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{minutes}\n", "")


def test_nothing_is_printed_for_an_execution_that_cannot_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    done = printed(monkeypatch, None, RUNNING="yes")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("The pause is unknown: ")


def test_a_missing_variable_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    done = printed(monkeypatch, {})
    assert (done.returncode, done.stdout, done.stderr) == (2, "", "Set RUNNING.\n")
