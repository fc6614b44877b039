"""Approvals, stopping and updates of a pipeline. Each test is a row of docs/rehearsal.md."""

from __future__ import annotations

import pytest

from scaffold.engine.pipeline.messages import ActionEnded, Approve, Refused, Retry, Stop, Update
from tests.engine.pipeline.driver import BROKEN, OK, Driver, action, condition, drive, pipeline, stage


def waiting() -> Driver:
    """An execution that waits for approval."""
    run = drive(stage("Prod", action("Approval", provider="Manual"), action("A", 2)))
    run.start("one")
    return run


def answer(run: Driver, approved: bool = True, token: str | None = None, action_name: str = "Approval") -> None:
    token = token or run.latest("one", "Approval").token
    run.tell(Approve("Prod", action_name, token, approved, "Looks good", "arn:someone"))


def test_an_approval_lets_the_execution_continue() -> None:
    run = waiting()
    answer(run)
    assert run.running("one") == ["A"]
    approval = run.latest("one", "Approval")
    assert (approval.summary, approval.updated_by) == ("Looks good", "arn:someone")
    assert approval.identifier in run.ended()


def test_a_rejection_fails_the_stage() -> None:
    run = waiting()
    answer(run, approved=False)
    assert (run["one"].status, run.latest("one", "Approval").error.message) == ("Failed", "Looks good")


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({"token": "00000000-0000-0000-0000-000000000000"}, "InvalidApprovalTokenException"),
        ({"action_name": "Absent"}, "ActionNotFoundException"),
    ],
    ids=str,
)
def test_an_approval_with_the_wrong_token_or_action_is_refused(given: dict[str, str], code: str) -> None:
    with pytest.raises(Refused) as refused:
        answer(waiting(), **given)
    assert refused.value.code == code


def test_an_approval_is_answered_once() -> None:
    run = waiting()
    answer(run)
    with pytest.raises(Refused) as refused:
        answer(run)
    assert refused.value.code == "ApprovalAlreadyCompletedException"


def test_each_approval_has_a_token_of_its_own() -> None:
    run = waiting()
    first = run.latest("one", "Approval").token
    answer(run, approved=False)
    run.tell(Retry(run.ids["one"], "Prod", "FAILED_ACTIONS"))
    assert run.latest("one", "Approval").token not in ("", first)


def test_a_stopped_execution_completes_its_actions_in_progress() -> None:
    run = drive(stage("Deploy", action("A"), action("B"), action("C", 2)))
    run.start("one")
    run.tell(Stop(run.ids["one"], reason="a mistake"))
    assert (run["one"].status, run["one"].stages["Deploy"].status) == ("Stopping", "Stopping")
    run.end("one", "A")
    run.end("one", "B")
    assert (run["one"].status, run["one"].stages["Deploy"].status) == ("Stopped", "Stopped")
    assert (run["one"].summary, run.running("one")) == ("a mistake", [])
    assert run.events() == ["STARTED", "STOPPING", "STOPPED"]


def test_an_action_that_fails_while_its_execution_stops_fails_the_execution() -> None:
    run = drive(stage("Deploy", action("A")))
    run.start("one")
    run.tell(Stop(run.ids["one"]))
    run.end("one", "A", BROKEN)
    assert run["one"].status == "Failed"


def test_an_execution_that_stops_does_not_enter_the_next_stage() -> None:
    run = drive(stage("Deploy", action("A")), stage("Next", action("B")))
    run.start("one")
    run.tell(Stop(run.ids["one"]))
    run.end("one", "A")
    assert (run["one"].status, "Next" in run["one"].stages) == ("Stopped", False)


def test_an_abandoned_execution_stops_at_once() -> None:
    run = drive(stage("Deploy", action("A")))
    run.start("one")
    run.tell(Stop(run.ids["one"], abandon=True))
    abandoned = run.latest("one", "A")
    assert (run["one"].status, abandoned.status) == ("Stopped", "Abandoned")
    assert abandoned.identifier in run.ended()
    assert run.events("Action")[-1] == "A ABANDONED"
    assert run.events() == ["STARTED", "STOPPING", "STOPPED"]


@pytest.mark.parametrize("abandon", [True, False])
def test_a_stop_says_why(abandon: bool) -> None:
    run = drive(stage("Deploy", action("A")))
    run.start("one")
    run.tell(Stop(run.ids["one"], abandon=abandon, reason="a newer one"))
    if not abandon:
        run.end("one", "A")
    told = {one.detail["state"]: one.detail.get("stop-execution-comments") for one in run.announced("Pipeline")}
    assert told == {"STARTED": None, "STOPPING": "a newer one", "STOPPED": None}


def test_the_outcome_of_an_abandoned_action_changes_nothing() -> None:
    run = drive(stage("Deploy", action("A")), stage("Next", action("B")))
    run.start("one")
    identifier = run.latest("one", "A").identifier
    run.tell(Stop(run.ids["one"], abandon=True))
    run.tell(ActionEnded(run.ids["one"], identifier, OK))
    assert (run.latest("one", "A").status, run["one"].status) == ("Abandoned", "Stopped")


def test_an_execution_between_stages_stops_at_once() -> None:
    run = drive(stage("Deploy", action("A")))
    run.start("one")
    run.start("two")
    run.tell(Stop(run.ids["two"]))
    assert run["two"].status == "Stopped"
    run.end("one", "A")
    assert run.running("two") == []


def test_an_execution_stops_during_its_conditions() -> None:
    run = drive(stage("Deploy", action("A"), **condition("beforeEntry", "FAIL", "r")))
    run.start("one")
    run.tell(Stop(run.ids["one"]))
    run.check("one", "r")
    assert (run["one"].status, run.running("one")) == ("Stopped", [])


def test_what_cannot_be_stopped_is_refused() -> None:
    run = drive(stage("Deploy", action("A")))
    run.start("one")
    run.tell(Stop(run.ids["one"]))
    with pytest.raises(Refused) as refused:
        run.tell(Stop(run.ids["one"]))
    assert refused.value.code == "DuplicatedStopRequestException"
    run.end("one", "A")
    with pytest.raises(Refused) as refused:
        run.tell(Stop(run.ids["one"]))
    assert refused.value.code == "PipelineExecutionNotStoppableException"


def test_a_stopped_stage_is_retried() -> None:
    run = drive(stage("Deploy", action("A"), action("B", 2)))
    run.start("one")
    run.tell(Stop(run.ids["one"], abandon=True))
    run.tell(Retry(run.ids["one"], "Deploy", "FAILED_ACTIONS"))
    assert run.running("one") == ["A"]


def test_an_update_cancels_the_executions_in_progress() -> None:
    run = drive(stage("Deploy", action("A")))
    run.start("one")
    run.start("two")
    run.tell(Update(pipeline(stage("Deploy", action("A")), stage("More", action("B")), version=2)))
    assert [run[name].status for name in ("one", "two")] == ["Cancelled", "Cancelled"]
    assert (run["one"].stages["Deploy"].status, run.latest("one", "A").status) == ("Cancelled", "Abandoned")
    assert run.events("Pipeline", "one") == ["STARTED", "CANCELED"]
    run.start("three")
    run.end("three", "A")
    assert (run.running("three"), run["three"].version) == (["B"], 2)
