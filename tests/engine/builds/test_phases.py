"""The phases of builds: the rows of docs/rehearsal.md that need no shell."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scaffold.engine.builds import phases
from scaffold.engine.builds.buildspec import PHASES, Phase
from scaffold.engine.builds.phases import State, step

BEGIN = ["SUBMITTED", "QUEUED", "PROVISIONING", "DOWNLOAD_SOURCE"]
END = ["UPLOAD_ARTIFACTS", "FINALIZING", "COMPLETED"]


def play(plan: dict[str, Phase], failing: tuple[str, ...] = ()) -> tuple[State, list[tuple[str, bool]]]:
    """Run a build whose commands fail or succeed by their names.

    Returns:
        Its last state, and its commands, each with what CODEBUILD_BUILD_SUCCEEDING was.
    """
    state, effect = step(State(), phases.Submitted(), 0)
    ran = []
    while not isinstance(effect, phases.Finish):
        event: phases.Event
        match effect:
            case phases.Download():
                event = phases.Downloaded(plan)
            case phases.Run(command, succeeding):
                ran.append((command, succeeding))
                event = phases.CommandEnded(command, int(command in failing))
            case _:
                event = phases.Uploaded()
        state, effect = step(state, event, 0)
    return state, ran


def kinds(state: State) -> list[str]:
    return [run.kind for run in state.runs]


def plan(**on_failure: str) -> dict[str, Phase]:
    """A command and a `finally` for each phase, named after it."""
    return {name: Phase((name, f"{name} 2"), (f"{name} finally",), on_failure.get(name, "")) for name in PHASES}


ALL = [*BEGIN, "INSTALL", "PRE_BUILD", "BUILD", "POST_BUILD", *END]


@pytest.mark.parametrize(
    ("failing", "on_failure", "expected"),
    [
        ("", "", ALL),
        # The default: only a failed BUILD is followed by POST_BUILD.
        ("install", "", [*BEGIN, "INSTALL", "FINALIZING", "COMPLETED"]),
        ("pre_build", "", [*BEGIN, "INSTALL", "PRE_BUILD", "FINALIZING", "COMPLETED"]),
        ("build", "", ALL),
        ("post_build", "", ALL),
        ("install", "ABORT", [*BEGIN, "INSTALL", "FINALIZING", "COMPLETED"]),
        ("build", "ABORT", [*BEGIN, "INSTALL", "PRE_BUILD", "BUILD", *END]),
        ("post_build", "ABORT", ALL),
        *((name, "CONTINUE", ALL) for name in PHASES),
    ],
)
def test_the_phases_after_a_failure(failing: str, on_failure: str, expected: list[str]) -> None:
    state, _ = play(plan(**{failing: on_failure}) if failing else plan(), (failing,))
    assert kinds(state) == expected
    assert state.status == ("FAILED" if failing else "SUCCEEDED")
    failed = [run for run in state.runs if run.status == "FAILED"]
    assert [run.kind for run in failed] == ([failing.upper()] if failing else [])
    assert [run.code for run in failed] == ["COMMAND_EXECUTION_ERROR"] * len(failed)


def test_finally_runs_after_a_failure_and_the_other_commands_do_not() -> None:
    _, ran = play(plan(), ("build",))
    assert [command for command, _ in ran] == [
        *("install", "install 2", "install finally", "pre_build", "pre_build 2", "pre_build finally"),
        *("build", "build finally", "post_build", "post_build 2", "post_build finally"),
    ]


def test_the_build_is_not_succeeding_from_the_failure_on() -> None:
    _, ran = play(plan(), ("build",))
    assert [command for command, succeeding in ran if not succeeding] == [
        *("build finally", "post_build", "post_build 2", "post_build finally"),
    ]


def test_a_failed_finally_fails_the_phase() -> None:
    state, _ = play(plan(), ("pre_build finally",))
    assert kinds(state)[-3:] == ["PRE_BUILD", "FINALIZING", "COMPLETED"]
    assert state.status == "FAILED"


def test_the_first_failure_is_reported() -> None:
    state, _ = play(plan(), ("build", "build finally"))
    build = next(run for run in state.runs if run.kind == "BUILD")
    assert build.message == "Error while executing command: build. Reason: exit status 1"


def test_phases_without_commands_succeed() -> None:
    state, ran = play({"build": Phase(("make",))})
    assert kinds(state) == ALL
    assert ran == [("make", True)]


@pytest.mark.parametrize("status", ["STOPPED", "TIMED_OUT", "FAULT"])
def test_ended_from_outside(status: str) -> None:
    state, _ = step(State(), phases.Submitted(), 0)
    state, _ = step(state, phases.Downloaded(plan()), 1)
    state, effect = step(state, phases.Ended(status), 2)
    assert isinstance(effect, phases.Finish)
    assert state.status == status
    assert (state.runs[-2].kind, state.runs[-2].status) == ("INSTALL", status)
    assert state.current.kind == "COMPLETED"
    # What comes too late changes nothing.
    assert step(state, phases.CommandEnded("install", 1), 3) == (state, None)


def test_a_failed_upload_fails_the_build() -> None:
    state, effect = step(State(), phases.Submitted(), 0)
    state, effect = step(state, phases.Downloaded({}), 0)
    assert isinstance(effect, phases.Upload)
    state, effect = step(state, phases.PhaseFailed("CLIENT_ERROR", "no matching artifact paths found"), 0)
    assert isinstance(effect, phases.Finish)
    assert state.status == "FAILED"


names = st.sampled_from([name for phase in plan().values() for name in (*phase.commands, *phase.final_commands)])


@settings(deadline=None)
@given(st.sets(names), st.dictionaries(st.sampled_from(PHASES), st.sampled_from(["ABORT", "CONTINUE", ""])))
def test_every_build_ends_once_and_says_why(failing: set[str], on_failure: dict[str, str]) -> None:
    state, ran = play(plan(**on_failure), tuple(failing))
    assert state.status == ("FAILED" if failing & {command for command, _ in ran} else "SUCCEEDED")
    assert kinds(state).count("COMPLETED") == 1
    assert len(set(kinds(state))) == len(kinds(state))
    assert all(run.ended is not None for run in state.runs[:-1])
    begun = {run.kind.lower() for run in state.runs}
    assert {f"{name} finally" for name in PHASES if name in begun} <= {command for command, _ in ran}
