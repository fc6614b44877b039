"""A release waits while its tasks run if its plan says so, and a rollback never does."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.kits import ROOT
from tests.service.conftest import run_script

SCRIPT = ROOT / "template/config/scripts/{% if running_environments %}pause_minutes.py{% endif %}"
GIVEN = {"APP_NAME": "orders", "EXECUTION": "execution-1", "LONGEST_PAUSE": "480", "AWS_REGION": "eu-central-1"}


@pytest.fixture(scope="module")
def script(generated: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The script beside those that it imports, some of which depend on answers."""
    scripts = shutil.copytree(generated / "config/scripts", tmp_path_factory.mktemp("scripts") / "scripts")
    return Path(shutil.copy(SCRIPT, scripts / "pause_minutes.py"))


def printed(
    monkeypatch: pytest.MonkeyPatch, script: Path, answer: dict[str, Any] | None, **given: str
) -> subprocess.CompletedProcess[str]:
    """Run the script; without an answer, AWS refuses the call."""

    def aws(command: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        assert command[1:3] == ["codepipeline", "get-pipeline-execution"]
        if answer is None:
            return subprocess.CompletedProcess(command, 254, "", "\nAn error occurred (Denied): no\n")
        return subprocess.CompletedProcess(command, 0, json.dumps({"pipelineExecution": answer}), "")

    return run_script(monkeypatch, script, aws, {**GIVEN, "RUNNING": "", **given})


@pytest.mark.parametrize(
    ("running", "execution", "minutes"),
    [("yes", "STANDARD", "480"), ("no", "STANDARD", "0"), ("yes", "ROLLBACK", "0"), ("unknown", "STANDARD", "480")],
)
def test_the_minutes(monkeypatch: pytest.MonkeyPatch, script: Path, running: str, execution: str, minutes: str) -> None:
    done = printed(monkeypatch, script, {"executionType": execution}, RUNNING=running)
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{minutes}\n", "")


def test_nothing_is_printed_for_an_execution_that_cannot_be_read(monkeypatch: pytest.MonkeyPatch, script: Path) -> None:
    done = printed(monkeypatch, script, None, RUNNING="yes")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("The pause is unknown: ")


def test_a_missing_variable_is_named(monkeypatch: pytest.MonkeyPatch, script: Path) -> None:
    done = printed(monkeypatch, script, {})
    assert (done.returncode, done.stdout, done.stderr) == (2, "", "Set RUNNING.\n")
