"""An action that fails on request."""

from __future__ import annotations

import pytest

from scaffold.engine.executors.failing import with_failing_action
from scaffold.engine.pipeline.jobs import Failed, Outcome, Succeeded
from tests.engine.executors.jobs import job

EXECUTED = Succeeded("executed")


def outcome(failing: str, **more: object) -> Outcome:
    made, _ = job({}, **more)
    return with_failing_action({"CodeBuild": lambda _job: EXECUTED}, failing)["CodeBuild"](made)


@pytest.mark.parametrize("failing", ["Build/Build", "build/BUILD"])
def test_the_action_fails(failing: str) -> None:
    assert outcome(failing) == Failed("JobFailed", "Build/Build was requested to fail")


@pytest.mark.parametrize("failing", ["Dev/Build", "Build/Test", "Build", "/Build"])
def test_others_are_executed(failing: str) -> None:
    assert outcome(failing) == EXECUTED


def test_a_rule_of_its_name_is_evaluated() -> None:
    made, _ = job({})
    del made.assignment.declaration["actionTypeId"]
    assert (
        with_failing_action({"VariableCheck": lambda _job: EXECUTED}, "Build/Build")["VariableCheck"](made) == EXECUTED
    )
