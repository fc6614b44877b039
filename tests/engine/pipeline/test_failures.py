"""Conditions, retries and rollbacks of stages. Each test is a row of docs/rehearsal.md."""

from __future__ import annotations

from typing import Any

import pytest

from scaffold.engine.pipeline import describe
from scaffold.engine.pipeline.jobs import Failed, Succeeded
from scaffold.engine.pipeline.messages import Override, Refused, Retry, Update
from tests.engine.pipeline.driver import BROKEN, OK, Driver, action, condition, drive, pipeline, stage

NOT_MET = Failed("RuleFailed", "The variable is different.")
ROLLBACK = {"onFailure": {"result": "ROLLBACK"}}


def retrying(mode: str | None = None) -> dict[str, Any]:
    return {"onFailure": {"result": "RETRY"} | ({"retryConfiguration": {"retryMode": mode}} if mode else {})}


def released(**more: Any) -> Driver:
    """A pipeline with one successful execution, `good`, and a second one in the stage Deploy, `bad`."""
    deploy = stage(
        "Deploy", action("A", namespace="A"), action("B", 2, configuration={"v": "#{Source.CommitId}"}), **more
    )
    run = drive(deploy, stage("Next", action("C")))
    run.start("good")
    for name in ("A", "B", "C"):
        run.end("good", name)
    run.start("bad")
    return run


def refusal(run: Driver, **more: Any) -> str:
    with pytest.raises(Refused) as refused:
        run.tell(Retry(**({"execution": run.ids["bad"], "stage": "Deploy", "mode": "FAILED_ACTIONS"} | more)))
    return refused.value.code


def test_a_condition_before_entry_is_met() -> None:
    run = drive(stage("Deploy", action("A"), **condition("beforeEntry", "FAIL", "r1", "r2")))
    run.start("one")
    run.check("one", "r1")
    assert run.running("one") == []
    run.check("one", "r2")
    assert run.running("one") == ["A"]


def test_a_condition_before_entry_fails_the_stage() -> None:
    run = drive(stage("Deploy", action("A"), **condition("beforeEntry", "FAIL", "r1", "r2")))
    run.start("one")
    run.check("one", "r1", NOT_MET)
    run.check("one", "r2")
    assert (run["one"].status, run["one"].stages["Deploy"].status) == ("Failed", "Failed")
    assert run["one"].stages["Deploy"].conditions["beforeEntry"].summary == "Rule r1: The variable is different."


def test_a_condition_before_entry_skips_the_stage() -> None:
    run = drive(stage("Deploy", action("A"), **condition("beforeEntry", "SKIP", "r")), stage("Next", action("B")))
    run.start("one")
    run.check("one", "r", NOT_MET)
    assert run["one"].stages["Deploy"].status == "Skipped"
    assert run.running("one") == ["B"]


def test_the_rules_of_a_condition_use_variables() -> None:
    conditions = condition("beforeEntry", "FAIL", "r", Variable="#{Source.CommitId}", Value="#{Absent.x}")
    run = drive(stage("Deploy", action("A"), **conditions))
    run.start("one")
    assert run["one"].status == "Failed"
    assert "#{Absent.x}" in run["one"].stages["Deploy"].conditions["beforeEntry"].summary


def test_a_variable_that_does_not_exist_skips_no_stage() -> None:
    conditions = condition("beforeEntry", "SKIP", "r", Variable="#{Absent.x}", Value="1")
    run = drive(stage("Deploy", action("A"), **conditions), stage("Next", action("B")))
    run.start("one")
    assert (run["one"].status, run["one"].stages["Deploy"].status) == ("Failed", "Failed")


def test_a_condition_on_success_completes_the_stage() -> None:
    run = drive(stage("Deploy", action("A"), **condition("onSuccess", "FAIL", "r")), stage("Next", action("B")))
    run.start("one")
    run.end("one", "A")
    assert run.running("one") == []
    run.check("one", "r")
    assert run.running("one") == ["B"]


def test_a_condition_on_success_fails_the_stage() -> None:
    run = drive(stage("Deploy", action("A"), **condition("onSuccess", "FAIL", "r")), stage("Next", action("B")))
    run.start("one")
    run.end("one", "A")
    run.check("one", "r", NOT_MET)
    assert run["one"].status == "Failed"


def test_a_condition_on_success_rolls_the_stage_back() -> None:
    run = drive(stage("Deploy", action("A"), **condition("onSuccess", "ROLLBACK", "r")))
    run.start("good")
    run.end("good", "A")
    run.check("good", "r")
    run.start("bad")
    run.end("bad", "A")
    run.check("bad", "r", NOT_MET)
    assert run["bad"].status == "Failed"
    assert (run.last().kind, run.last().rollback_of) == ("ROLLBACK", run.ids["good"])


def override(run: Driver, execution: str, kind: str) -> None:
    run.tell(Override(run.ids[execution], "Deploy", kind))


def test_a_condition_is_overridden_while_it_is_evaluated() -> None:
    run = drive(stage("Deploy", action("A"), **condition("beforeEntry", "FAIL", "r")), stage("Next", action("B")))
    run.start("one")
    override(run, "one", "beforeEntry")
    found = run["one"].stages["Deploy"].conditions["beforeEntry"]
    assert (found.status, found.rules[0].status, run.running("one")) == ("Overridden", "Abandoned", ["A"])
    assert found.rules[0].identifier in run.ended()
    run.end("one", "A")
    assert run.running("one") == ["B"]


@pytest.mark.parametrize("kind", ["beforeEntry", "onSuccess"])
def test_a_condition_is_overridden_after_it_has_failed_its_stage(kind: str) -> None:
    run = drive(stage("Deploy", action("A"), **condition(kind, "FAIL", "r")), stage("Next", action("B")))
    run.start("one")
    if kind == "onSuccess":
        run.end("one", "A")
    run.check("one", "r", NOT_MET)
    assert run["one"].status == "Failed"
    override(run, "one", kind)
    assert (run["one"].status, run.running("one")) == ("InProgress", ["B"] if kind == "onSuccess" else ["A"])


def test_what_blocks_nothing_is_not_overridden() -> None:
    run = drive(stage("Deploy", action("A"), **condition("beforeEntry", "SKIP", "r")), stage("Next", action("B")))
    run.start("met")
    run.check("met", "r")
    run.end("met", "A")
    run.end("met", "B")
    run.start("skipped")
    run.check("skipped", "r", NOT_MET)
    for execution, kind, code in (
        ("skipped", "beforeEntry", "ConditionNotOverridableException"),
        ("skipped", "onSuccess", "ConditionNotOverridableException"),
        ("met", "beforeEntry", "NotLatestPipelineExecutionException"),
    ):
        with pytest.raises(Refused) as refused:
            override(run, execution, kind)
        assert refused.value.code == code


def test_a_condition_on_failure_decides_about_the_rollback() -> None:
    run = drive(stage("Deploy", action("A"), **condition("onFailure", "ROLLBACK", "r")))
    run.start("good")
    run.end("good", "A")
    for name, outcome, executions in (("met", Succeeded(), 2), ("not met", NOT_MET, 4)):
        run.start(name)
        run.end(name, "A", BROKEN)
        assert run[name].status == "InProgress"
        run.check(name, "r", outcome)
        assert (run[name].status, len(run.state.executions)) == ("Failed", executions)


@pytest.mark.parametrize(
    ("kind", "result"),
    [
        ("beforeEntry", "FAIL"),
        ("beforeEntry", "SKIP"),
        ("onSuccess", "FAIL"),
        ("onSuccess", "ROLLBACK"),
        ("onFailure", "ROLLBACK"),
    ],
)
def test_a_condition_that_cannot_be_evaluated_fails_the_stage(kind: str, result: str) -> None:
    run = drive(stage("Deploy", action("A"), **condition(kind, result, "r1", "r2")), stage("Next", action("B")))
    run.start("good")
    if kind == "beforeEntry":
        run.check("good", "r1")
        run.check("good", "r2")
    run.end("good", "A")
    if kind == "onSuccess":
        run.check("good", "r1")
        run.check("good", "r2")
    run.start("bad")
    if kind != "beforeEntry":
        run.end("bad", "A", BROKEN if kind == "onFailure" else OK)
    run.check("bad", "r1", Failed("RuleConfigurationError", "not rehearsed: the provider LambdaInvoke"))
    run.check("bad", "r2", NOT_MET)
    evaluated = run["bad"].stages["Deploy"].conditions[kind]
    assert (run["bad"].status, run["bad"].stages["Deploy"].status, evaluated.status) == ("Failed", "Failed", "Errored")
    assert "Rule r1: not rehearsed: the provider LambdaInvoke" in run["bad"].summary
    assert run["bad"] is run.last(), "there is no rollback"


def test_a_skipped_stage_is_neither_retried_nor_rolled_back() -> None:
    run = drive(stage("Deploy", action("A"), **condition("beforeEntry", "SKIP", "r")), stage("Next", action("B")))
    for name, outcome in (("good", OK), ("bad", NOT_MET)):
        run.start(name)
        run.check(name, "r", outcome)
        if name == "good":
            run.end(name, "A")
            run.end(name, "B")
    run.end("bad", "B", BROKEN)
    assert refusal(run) == "StageNotRetryableException"
    with pytest.raises(Refused, match="the stage was skipped") as refused:
        run.roll_back("back", "Deploy", "good")
    assert refused.value.code == "UnableToRollbackStageException"


def test_a_failed_stage_is_retried_once() -> None:
    run = released(**retrying())
    run.end("bad", "A", BROKEN)
    assert run.running("bad") == ["A"]
    assert run["bad"].stages["Deploy"].retry_trigger == "AutomatedStageRetry"
    run.end("bad", "A", BROKEN)
    assert run["bad"].status == "Failed"
    states = ["Deploy STARTED", "Deploy FAILED", "Deploy RESUMED", "Deploy FAILED"]
    assert run.events("Stage", "bad")[2:] == states


@pytest.mark.parametrize(("mode", "restarted"), [("FAILED_ACTIONS", "B"), ("ALL_ACTIONS", "A"), (None, "A")], ids=str)
def test_an_automatic_retry_starts_failed_or_all_actions(mode: str | None, restarted: str) -> None:
    run = released(**retrying(mode))
    run.end("bad", "A")
    run.end("bad", "B", BROKEN)
    assert run.running("bad") == [restarted]


def test_a_failed_stage_is_rolled_back_to_its_last_successful_execution() -> None:
    run = released(**ROLLBACK)
    run.end("bad", "A")
    run.end("bad", "B", BROKEN)
    assert run["bad"].status == "Failed"
    rollback = run.ids["rollback"] = run.last().identifier
    made = run["rollback"]
    assert (made.kind, made.trigger, made.rollback_of) == ("ROLLBACK", "AutomatedRollback", run.ids["good"])
    assert made.trigger_detail == run.ids["bad"]
    assert run.running("rollback") == ["A"]
    run.end("rollback", "A")
    assert run.assigned("B").configuration == {"v": "commit-of-good"}
    run.end("rollback", "B")
    assert (run["rollback"].status, list(run.state.executions)[-1]) == ("Succeeded", rollback)


def test_a_rollback_runs_its_stage_only() -> None:
    run = released()
    for name in ("A", "B", "C"):
        run.end("bad", name)
    run.roll_back("back", "Deploy", "good")
    run.end("back", "A")
    run.end("back", "B")
    assert (run["back"].status, list(run["back"].stages)) == ("Succeeded", ["Deploy"])


def test_a_failed_rollback_is_not_rolled_back() -> None:
    run = released(**ROLLBACK)
    run.end("bad", "A", BROKEN)
    run.ids["rollback"] = run.last().identifier
    run.end("rollback", "A", BROKEN)
    assert (run["rollback"].status, len(run.state.executions)) == ("Failed", 3)


def test_a_stage_without_successful_execution_is_not_rolled_back() -> None:
    run = drive(stage("Deploy", action("A"), **ROLLBACK))
    run.start("one")
    run.end("one", "A", BROKEN)
    assert (run["one"].status, len(run.state.executions)) == ("Failed", 1)


def test_executions_of_an_older_structure_are_no_targets_of_a_rollback() -> None:
    run = released(**ROLLBACK)
    run.tell(Update(pipeline(*run.state.declaration["stages"][1:], version=2)))
    run.start("new")
    run.end("new", "A", BROKEN)
    assert (run["new"].status, len(run.state.executions)) == ("Failed", 3)
    with pytest.raises(Refused) as refused:
        run.roll_back("back", "Deploy", "good")
    assert refused.value.code == "UnableToRollbackStageException"


def test_what_cannot_be_rolled_back_is_refused() -> None:
    run = released()
    for stage_name, target in (("Source", "good"), ("Deploy", "bad"), ("Deploy", "good")):  # The last one is busy.
        with pytest.raises(Refused) as refused:
            run.roll_back("back", stage_name, target)
        assert refused.value.code == "UnableToRollbackStageException"
    for name in ("A", "B", "C"):
        run.end("bad", name)
    run.roll_back("back", "Deploy", "good")
    run.end("back", "A")
    run.end("back", "B")
    with pytest.raises(Refused) as refused:
        run.roll_back("again", "Deploy", "back")
    assert refused.value.code == "UnableToRollbackStageException"


@pytest.mark.parametrize(("mode", "restarted"), [("FAILED_ACTIONS", "B"), ("ALL_ACTIONS", "A")])
def test_a_failed_stage_is_retried_on_request(mode: str, restarted: str) -> None:
    run = released()
    run.end("bad", "A")
    run.end("bad", "B", BROKEN)
    run.tell(Retry(run.ids["bad"], "Deploy", mode))
    assert (run["bad"].status, run["bad"].attempts, run.running("bad")) == ("InProgress", 2, [restarted])
    assert run.events("Pipeline", "bad") == ["STARTED", "FAILED", "RESUMED"]
    for name in ("A", "B", "C")["AB".index(restarted) :]:
        run.end("bad", name)
    assert run["bad"].status == "Succeeded"


def test_the_latest_executions_of_actions_are_listed() -> None:
    run = released()
    run.end("bad", "A")
    run.end("bad", "B", BROKEN)
    run.tell(Retry(run.ids["bad"], "Deploy", "FAILED_ACTIONS"))
    everything = [(one["actionName"], one["status"]) for one in describe.action_details(run["bad"])]
    assert everything == [("B", "InProgress"), ("B", "Failed"), ("A", "Succeeded"), ("Source", "Succeeded")]
    latest = [(one["actionName"], one["status"]) for one in describe.action_details(run["bad"], latest=True)]
    assert latest == [("B", "InProgress"), ("A", "Succeeded"), ("Source", "Succeeded")]


def test_a_retry_evaluates_failed_conditions_before_entry_again() -> None:
    run = drive(stage("Deploy", action("A"), **condition("beforeEntry", "FAIL", "r")))
    run.start("one")
    run.check("one", "r", NOT_MET)
    run.tell(Retry(run.ids["one"], "Deploy", "FAILED_ACTIONS"))
    run.check("one", "r")
    assert run.running("one") == ["A"]


def test_what_cannot_be_retried_is_refused() -> None:
    run = released()
    assert refusal(run) == "ConflictException"
    run.end("bad", "A", BROKEN)
    assert refusal(run, execution=run.ids["good"]) == "NotLatestPipelineExecutionException"
    assert refusal(run, stage="Source") == "StageNotRetryableException"
    assert refusal(run, stage="Absent") == "StageNotFoundException"
    assert refusal(run, execution="absent") == "PipelineExecutionNotFoundException"
    run.tell(Update(pipeline(*run.state.declaration["stages"][1:], version=2)))
    assert refusal(run) == "StageNotRetryableException"
