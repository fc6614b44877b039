"""What a deployment does about the release that it starts. Races cannot be caused: the pipeline's states are given."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from scaffold.aws.pipeline_state import ActionRun, Execution
from scaffold.console.console import Console
from scaffold.deployment import release_start
from scaffold.deployment.release_start import ReleaseStart

COMMIT = "c0ffee" + "0" * 34
BUSY = "Stack:arn:aws:cloudformation:eu-west-1:1:stack/a/1 is in CREATE_IN_PROGRESS state and can not be updated."


def run(stage: str, status: str = "Succeeded", reason: str = "", category: str = "Deploy") -> ActionRun:
    return ActionRun(stage, "Action", category, status, reason, {})


def execution(status: str = "InProgress", name: str = "1", **changes: Any) -> Execution:
    return Execution(**{"id": name, "status": status, "commit": COMMIT, "rollback": False, **changes})


SOURCE = run("Source", category="Source")
UPDATING = [SOURCE, run("SelfUpdate", "InProgress")]
RACED = [SOURCE, run("SelfUpdate", "Failed", BUSY)]
DONE = [SOURCE, run("SelfUpdate"), run("Build", "InProgress", category="Build")]


@pytest.fixture
def ensure(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A function that plays states, one for each look, and returns the calls that change something."""

    def play(*states: tuple[list[Execution], list[ActionRun]], before: tuple[Execution, ...] = ()) -> list[str]:
        calls: list[str] = []
        client = SimpleNamespace(
            start_pipeline_execution=lambda **_: calls.append("start"),
            retry_stage_execution=lambda **given: calls.append(f"retry {given['stageName']} {given['retryMode']}"),
        )
        session, service = SimpleNamespace(client=lambda _name: client), SimpleNamespace(app_name="orders")
        looks = iter([(list(before), []), *states])
        current: list[Any] = []

        def executions(*_: Any) -> list[Execution]:
            current[:] = next(looks)
            return list(current[0])

        monkeypatch.setattr(release_start.pipeline_state, "latest_executions", executions)
        monkeypatch.setattr(release_start.pipeline_state, "action_runs", lambda *_: current[1])
        monkeypatch.setattr(release_start, "pauses", lambda: lambda: None)
        monkeypatch.setattr(release_start, "_START_SECONDS", 0)
        start = ReleaseStart(session, service, COMMIT, Console())  # type: ignore[arg-type]
        start.expect()
        start.ensure()
        assert next(looks, None) is None, "it stopped looking too early"
        return calls

    return play


def test_a_release_that_starts_by_itself_is_left_alone(ensure: Any) -> None:
    assert ensure(([execution(commit=None)], []), ([execution()], UPDATING), ([execution()], DONE)) == []


def test_the_first_run_that_met_its_own_stack_is_retried_once(ensure: Any) -> None:
    failed = execution("Failed")
    assert ensure(([failed], RACED), ([execution()], UPDATING), ([execution()], DONE)) == [
        "retry SelfUpdate FAILED_ACTIONS"
    ]
    assert ensure(([failed], RACED), ([failed], RACED)) == ["retry SelfUpdate FAILED_ACTIONS"]


@pytest.mark.parametrize(
    "runs",
    [
        [SOURCE, run("SelfUpdate", "Failed", "AccessDenied")],
        [SOURCE, run("SelfUpdate", "Failed", BUSY), run("SelfUpdate", "Failed", "AccessDenied")],
        [SOURCE, run("SelfUpdate"), run("Dev", "Failed", BUSY)],
        [run("Source", "Failed", BUSY, "Source")],
        [],
    ],
)
def test_other_failures_are_not_retried(ensure: Any, runs: list[ActionRun]) -> None:
    assert ensure(([execution("Failed")], runs)) == []


@pytest.mark.parametrize("status", ["Cancelled", "Superseded"])
def test_the_execution_that_an_update_of_the_pipeline_ends_has_to_be_followed_by_another(
    ensure: Any, status: str
) -> None:
    ended = execution(status)
    assert ensure(([execution(status), execution(name="2")], DONE)) == []
    assert ensure(([ended], UPDATING), ([ended, execution(name="2")], DONE)) == ["start"]


def test_what_a_person_stops_is_not_started_again(ensure: Any) -> None:
    assert ensure(([execution("Stopped")], [SOURCE])) == []
    assert ensure(([execution("Stopping")], UPDATING)) == []


def test_executions_of_before_of_others_and_rollbacks_are_no_release(ensure: Any) -> None:
    before, earlier = execution("Succeeded", "0"), execution("Succeeded", "1", commit="d" * 40)
    late, rollback = execution(name="2", commit="d" * 40), execution(name="3", rollback=True)
    known = [rollback, late, before, earlier]
    started = [execution(name="4"), *known]
    assert ensure((known, DONE), (started, DONE), before=(before, earlier)) == ["start"]


def test_a_later_commit_contains_the_deployed_one(ensure: Any) -> None:
    assert ensure(([execution(commit="e" * 40)], DONE)) == []


def test_nothing_is_waited_for_without_a_change(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> None:
        raise AssertionError("it looked")

    monkeypatch.setattr(release_start.pipeline_state, "latest_executions", fail)
    ReleaseStart(SimpleNamespace(), SimpleNamespace(app_name="orders"), COMMIT, Console()).ensure()  # type: ignore[arg-type]
