"""How an execution passes through stages and actions. Each test is a row of docs/rehearsal.md."""

from __future__ import annotations

import pytest

from scaffold.engine.pipeline.jobs import Succeeded
from scaffold.engine.pipeline.messages import Refused, SetTransition, Start
from tests.engine.pipeline.driver import BROKEN, action, drive, stage


def test_actions_of_one_run_order_run_side_by_side() -> None:
    run = drive(stage("Deploy", action("A"), action("B"), action("C", 2)))
    run.start("one")
    assert run.running("one") == ["A", "B"]
    run.end("one", "B")
    assert run.running("one") == ["A"]
    run.end("one", "A")
    assert run.running("one") == ["C"]
    run.end("one", "C")
    assert run["one"].status == "Succeeded"
    assert run.events() == ["STARTED", "SUCCEEDED"]
    assert run.events("Stage") == ["Source STARTED", "Source SUCCEEDED", "Deploy STARTED", "Deploy SUCCEEDED"]


def test_a_failed_action_fails_the_stage_once_its_neighbours_have_ended() -> None:
    run = drive(stage("Deploy", action("A"), action("B"), action("C", 2)), stage("Next", action("D")))
    run.start("one")
    run.end("one", "A", BROKEN)
    assert run["one"].status == "InProgress"
    run.end("one", "B")
    assert (run["one"].status, run["one"].stages["Deploy"].status) == ("Failed", "Failed")
    assert [one.name for one in run["one"].actions] == ["Source", "A", "B"]
    assert run.events()[-1] == "FAILED"


def test_an_action_gets_the_artifacts_that_earlier_actions_stored() -> None:
    build = stage("Build", action("Build", provider="CodeBuild", inputArtifacts=["Source"], outputArtifacts=["Image"]))
    run = drive(build, stage("Deploy", action("Deploy", inputArtifacts=["Source", "Image"])))
    run.start("one")
    assert run.assigned("Build").inputs == {"Source": run["one"].artifacts["Source"]}
    stored = run.assigned("Build").outputs["Image"]
    assert (stored.bucket, stored.key.rpartition("/")[0]) == ("artifacts", "shop/Image")
    run.end("one", "Build", Succeeded(written=("Image",)))
    assert run.assigned("Deploy").inputs["Image"] == stored


def test_an_artifact_that_was_not_stored_fails_the_action_that_needs_it() -> None:
    build = stage("Build", action("Build", provider="CodeBuild", outputArtifacts=["Image"]))
    run = drive(build, stage("Deploy", action("Deploy", inputArtifacts=["Image"])))
    run.start("one")
    run.end("one", "Build", Succeeded())
    assert run["one"].status == "Failed"


def test_variables_are_resolved_before_an_action_starts() -> None:
    configuration = {"A": "#{Source.CommitId} of #{variables.target} in #{codepipeline.PipelineExecutionId}"}
    declared = [{"name": "target", "defaultValue": "all"}]
    run = drive(stage("Deploy", action("A", configuration=configuration)), variables=declared)
    run.start("one", variables={"target": "some"})
    assert run.assigned("A").configuration == {"A": f"commit-of-one of some in {run.ids['one']}"}


def test_the_value_of_a_variable_is_not_searched_for_variables() -> None:
    run = drive(stage("Deploy", action("A", namespace="A"), action("B", 2, configuration={"k": "#{A.x}"})))
    run.start("one")
    run.end("one", "A", Succeeded(variables={"x": "#{Source.CommitId}"}))
    assert run.assigned("B").configuration == {"k": "#{Source.CommitId}"}


@pytest.mark.parametrize("reference", ["#{Source.Absent}", "#{Absent.CommitId}", "#{codepipeline.Absent}"])
def test_an_unresolvable_variable_fails_the_action(reference: str) -> None:
    run = drive(stage("Deploy", action("A", configuration={"k": reference})))
    run.start("one")
    error = run.latest("one", "A").error
    expected = "An action in this pipeline failed because one or more variables could not be resolved: Action name=A"
    assert error.message == expected
    assert run["one"].status == "Failed"


def test_a_stage_holds_one_execution_and_the_others_wait_in_order() -> None:
    run = drive(stage("Deploy", action("A")))
    for name in ("one", "two", "three"):
        run.start(name)
    assert [run.running(name) for name in ("one", "two", "three")] == [["A"], [], []]
    run.end("one", "A")
    assert [run.running(name) for name in ("two", "three")] == [["A"], []]
    run.end("two", "A", BROKEN)
    assert run.running("three") == ["A"]
    run.end("three", "A")
    assert [run[name].status for name in ("one", "two", "three")] == ["Succeeded", "Failed", "Succeeded"]


def test_a_newer_execution_supersedes_those_that_wait_between_stages() -> None:
    run = drive(stage("Deploy", action("A")), mode="SUPERSEDED")
    for name in ("one", "two", "three"):
        run.start(name)
    assert [run[name].status for name in ("one", "two", "three")] == ["InProgress", "Superseded", "InProgress"]
    run.end("one", "A")
    assert run.running("three") == ["A"]
    assert run.events("Pipeline", "two") == ["STARTED", "SUPERSEDED"]


def test_nothing_is_superseded_before_the_first_stage() -> None:
    run = drive(stage("Deploy", action("A")), mode="SUPERSEDED")
    for name in ("one", "two", "three"):
        run.start(name, source=False)
    assert [run[name].status for name in ("one", "two", "three")] == ["InProgress"] * 3


def test_the_mode_parallel_is_not_rehearsed() -> None:
    run = drive(stage("Deploy", action("A")), mode="PARALLEL")
    execution = run.start("one", source=False)
    assert (execution.status, execution.summary) == ("Failed", "not rehearsed: the execution mode PARALLEL")


def test_a_disabled_inbound_transition_keeps_executions_before_the_stage() -> None:
    run = drive(stage("Deploy", action("A")))
    run.tell(SetTransition("Deploy", "Inbound", "a freeze"))
    run.start("one")
    assert (run["one"].status, run["one"].waiting, run.running("one")) == ("InProgress", True, [])
    run.tell(SetTransition("Deploy", "Inbound"))
    assert run.running("one") == ["A"]


def test_a_disabled_outbound_transition_keeps_executions_in_the_stage() -> None:
    run = drive(stage("Deploy", action("A")), stage("Next", action("B")))
    run.tell(SetTransition("Deploy", "Outbound", "a freeze"))
    run.start("one")
    run.end("one", "A")
    assert run.running("one") == []
    run.tell(SetTransition("Deploy", "Outbound"))
    assert run.running("one") == ["B"]


def test_a_transition_of_an_unknown_stage_is_refused() -> None:
    with pytest.raises(Refused) as refused:
        drive(stage("Deploy", action("A"))).tell(SetTransition("Absent", "Inbound", "why"))
    assert refused.value.code == "StageNotFoundException"


def test_at_most_fifty_executions_are_in_progress() -> None:
    run = drive(stage("Deploy", action("A")))
    for number in range(50):
        run.start(str(number), source=False)
    with pytest.raises(Refused) as refused:
        run.start("more", source=False)
    assert refused.value.code == "ConcurrentPipelineExecutionsLimitExceededException"


def test_an_unknown_pipeline_variable_is_refused() -> None:
    with pytest.raises(Refused) as refused:
        drive(stage("Deploy", action("A"))).start("one", variables={"absent": "1"})
    assert refused.value.code == "ValidationException"


def test_the_state_before_a_step_stays_as_it_is() -> None:
    run = drive(stage("Deploy", action("A")))
    run.start("one")
    before = run.state
    copied = repr(before)
    run.end("one", "A")
    run.tell(Start("00000000-0000-0000-0000-000000000001", "Webhook"))
    assert repr(before) == copied
