"""The plan of a release says what it would change in production, changes nothing, and stops older releases."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from tests.service.conftest import replace_by_link
from tests.service.plans import COMMIT, EXECUTION, KINDS, REGION, SCRIPTS, Production, client, refused, running, topic


@pytest.fixture
def production(service: Path, local: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Production:
    """A production whose stacks are those of the source."""
    made = Production("plan", service, client(local), monkeypatch)
    made.write()
    made.release()
    return made


def failed(production: Production, *words: str) -> None:
    """Assert that the plan fails with one sentence, which has a remedy, and leaves no change set."""
    done, variables = production.plan()
    assert (done.returncode, variables) == (1, {}), done.stdout + done.stderr
    assert done.stderr.startswith("Plan failed: ")
    assert done.stderr.endswith(".\n")
    assert done.stderr.count("\n") == done.stderr.count("; ") == 1, done.stderr
    for word in words:
        assert word in done.stderr
    assert production.change_sets() == []


def test_a_release_that_changes_nothing_says_so_and_executes_nothing(production: Production) -> None:
    found = production.planned()
    assert (found["CHANGED"], found["SUMMARY"]) == ("no", "nothing changes")
    assert re.fullmatch(",".join(f"{kind}=[0-9a-f]{{16}}" for kind in KINDS), found["STATE"])
    assert production.change_sets() == []
    assert {name for name, _ in production.calls} == {
        "cloudformation:create-change-set",
        "cloudformation:delete-change-set",
        "cloudformation:describe-change-set",
        "cloudformation:describe-stacks",
        "cloudformation:get-stack-policy",
        "codepipeline:get-pipeline-state",
    }
    for request in production.requests("cloudformation:create-change-set"):
        assert request["ChangeSetName"] == f"plan-{EXECUTION}"
        # An existing stack keeps its role, and tags need a permission of their own.
        assert not {"RoleARN", "Tags"} & set(request)


def test_a_change_of_the_infrastructure_alone_is_in_the_summary(production: Production) -> None:
    production.templates["alarms"] = topic("louder")
    production.write()
    found = production.planned()
    assert (found["CHANGED"], found["SUMMARY"]) == ("yes", "alarms: update Topic")


def test_people_are_told_what_waits_for_their_approval(production: Production) -> None:
    production.templates["alarms"] = topic("louder")
    production.write()
    production.planned()
    (told,) = production.requests("sns:publish")
    assert (told["TopicArn"], told["Subject"]) == ("arn:notifications", "plan: approval waiting")
    assert told["Message"].startswith(
        "plan: the release 20260131-1100-v1 waits for approval in the stage Approve-Prod.\nhttps://pipeline\n\n"
        "What changes in prod:\n- alarms: update Topic\n\nCommits and costs since production could not be read: "
    )
    production.chat = "arn:chat"
    production.planned()
    *_, mail, chat = production.requests("sns:publish")
    assert (mail, set(chat)) == (told, {"TopicArn", "Message"})
    content = {"title": told["Subject"], "description": told["Message"]}
    assert json.loads(chat["Message"]) == {"version": "1.0", "source": "custom", "content": content}


def test_nobody_is_asked_about_a_release_that_changes_nothing(production: Production) -> None:
    production.planned()
    assert production.requests("sns:publish") == []


def test_an_approval_that_nobody_is_told_of_does_not_wait(production: Production) -> None:
    production.templates["alarms"] = topic("louder")
    production.write()
    production.faults["sns:publish"] = refused("AuthorizationError", "not authorized to perform sns:Publish")
    failed(production, "AuthorizationError", "then retry the stage")


def test_a_new_version_changes_the_task_definition_and_the_service(production: Production) -> None:
    production.image = "v2"
    found = production.planned()
    assert found["CHANGED"] == "yes"
    assert found["SUMMARY"] == "task-definition: version v1 to v2, update Topic; service: new task definition"


def test_changes_of_tags_stack_policy_and_outputs_count(production: Production) -> None:
    production.configurations["network"]["Tags"]["cost-center"] = "42"
    production.configurations["environment"]["StackPolicy"] = {"Statement": []}
    production.templates["alarms"]["Outputs"]["More"] = {"Value": "more"}
    production.write()
    assert production.planned()["SUMMARY"] == (
        "network: update the tags of all resources; environment: update the stack policy; "
        "alarms: update outputs or parameters"
    )


def test_a_prepared_stack_cannot_be_planned_yet(production: Production) -> None:
    placeholder = topic("placeholder", "Prepared")
    production.update("alarms", placeholder, {"AppName": production.app})
    found = production.planned()
    assert (found["CHANGED"], found["SUMMARY"]) == ("yes", "alarms: its first release creates everything")


def test_an_import_that_an_earlier_stack_will_create_cannot_be_planned_yet(production: Production) -> None:
    export = f"{production.app}-prod-environment-Second"
    output = {"Value": "x", "Export": {"Name": {"Fn::Sub": "${AWS::StackName}-Second"}}}
    production.templates["environment"]["Outputs"]["Second"] = output
    production.templates["service"]["Outputs"]["Second"] = {"Value": {"Fn::ImportValue": export}}
    production.write()
    found = production.planned()
    assert found["CHANGED"] == "yes"
    assert found["SUMMARY"].endswith(f"service: not planned yet, since it imports {export}")


def test_an_import_that_no_stack_exports_fails(production: Production) -> None:
    export = f"{production.app}-prod-environment-Nothing"
    production.templates["service"]["Outputs"]["Nothing"] = {"Value": {"Fn::ImportValue": export}}
    production.write()
    failed(production, f"{production.name('service')} imports {export}, which no stack exports", "with a commit")


@pytest.mark.parametrize(
    ("file", "there"),
    [
        ("infrastructure/alarms.yaml", True),
        ("infrastructure/prod", True),
        ("infrastructure/prod/network.json", True),
        ("infrastructure/prod/network.json", False),
    ],
)
def test_a_file_that_is_a_link_fails(production: Production, tmp_path: Path, file: str, there: bool) -> None:
    replace_by_link(production.root / file, tmp_path, leads_to_it=there)
    failed(production, file, "is a symbolic link", "replace the link with what it leads to")
    assert production.calls == []


def test_a_stack_that_does_not_exist_fails_with_the_remedy(production: Production) -> None:
    production.faults["cloudformation:describe-stacks"] = lambda request: (
        refused("ValidationError", f"Stack with id {request['StackName']} does not exist")(request)
        if request["StackName"].endswith("alarms")
        else None
    )
    failed(production, f"{production.name('alarms')} does not exist", "`scaffold deploy`", "then retry the stage")


@pytest.mark.parametrize(
    ("status", "remedy"),
    [
        ("UPDATE_ROLLBACK_FAILED", "`scaffold repair prod`"),
        ("ROLLBACK_COMPLETE", "`scaffold deploy`"),
        ("REVIEW_IN_PROGRESS", "`scaffold repair prod`"),
        ("UPDATE_IN_PROGRESS", "retry the stage when that has ended"),
    ],
)
def test_a_stack_that_cannot_be_updated_fails(production: Production, status: str, remedy: str) -> None:
    def describe(request: dict[str, Any]) -> dict[str, Any]:
        answer = dict(production.api.describe_stacks(**request))
        if request["StackName"].endswith("environment"):
            answer["Stacks"][0]["StackStatus"] = status
        return answer

    production.faults["cloudformation:describe-stacks"] = describe
    failed(production, production.name("environment"), status, remedy)
    assert production.requests("cloudformation:create-change-set") == []


def test_a_change_that_cloudformation_refuses_fails(production: Production) -> None:
    production.templates["alarms"]["Parameters"]["Needed"] = {"Type": "String"}
    production.write()
    failed(production, f"CloudFormation refuses the change of {production.name('alarms')}: ", "Needed", "with a commit")


@pytest.mark.parametrize("operation", ["describe-change-set", "create-change-set", "get-stack-policy"])
def test_what_cannot_be_read_fails_and_leaves_no_change_set(production: Production, operation: str) -> None:
    refuse = refused("AccessDenied", "not authorized")
    production.faults[f"cloudformation:{operation}"] = lambda request: (
        refuse(request) if request["StackName"].endswith("environment") else None
    )
    failed(production, "not authorized", "run `scaffold deploy`, which updates the permissions, then retry the stage")


def test_change_sets_are_deleted_when_the_script_is_stopped(production: Production) -> None:
    pending = {"Status": "CREATE_PENDING"}
    production.faults["cloudformation:describe-change-set"] = lambda request: (
        sys.exit(1) if len(production.requests("cloudformation:describe-change-set")) > len(KINDS) else pending
    )
    done, variables = production.plan()
    assert (done.returncode, variables) == (1, {})
    assert len(production.requests("cloudformation:create-change-set")) == len(KINDS)
    assert production.change_sets() == []


def test_a_change_set_that_is_still_being_created_is_deleted_later(production: Production) -> None:
    refuse = refused("InvalidChangeSetStatus")
    production.faults["cloudformation:delete-change-set"] = lambda request: (
        refuse(request) if len(production.requests("cloudformation:delete-change-set")) <= len(KINDS) else None
    )
    assert production.planned()["CHANGED"] == "no"
    assert production.change_sets() == []


def test_the_change_set_of_an_interrupted_plan_is_replaced(production: Production) -> None:
    left = {"StackName": production.name("alarms"), "ChangeSetName": f"plan-{EXECUTION}", "ChangeSetType": "UPDATE"}
    parameters = [{"ParameterKey": "AppName", "ParameterValue": production.app}]
    production.api.create_change_set(**left, UsePreviousTemplate=True, Parameters=parameters)
    production.templates["alarms"] = topic("louder")
    production.write()
    assert production.planned()["SUMMARY"] == "alarms: update Topic"
    assert production.change_sets() == []


def test_a_template_that_is_too_large_for_a_call_counts_as_changed(production: Production) -> None:
    production.templates["alarms"]["Description"] = "x" * 52_000
    production.write()
    found = production.planned()
    assert (found["CHANGED"], found["SUMMARY"]) == (
        "yes",
        "alarms: not planned, since the template has more than 51200 bytes",
    )


def inbound(execution: str, *, enabled: bool = True) -> dict[str, Any]:
    """A stage that an execution waits to enter."""
    waiting = [{"pipelineExecutionId": execution, "status": "InProgress"}]
    return {"inboundExecutions": waiting, "inboundTransitionState": {"enabled": enabled}}


@pytest.mark.parametrize(
    "occupied", [running("execution-1"), running("execution-1", "Stopping"), inbound("execution-1")]
)
def test_the_plan_waits_for_the_release_that_is_in_production(production: Production, occupied: dict[str, Any]) -> None:
    production.stages["Prod"] = occupied

    def leave(_: dict[str, Any]) -> None:
        if len(production.requests("codepipeline:get-pipeline-state")) == 3:
            assert production.requests("cloudformation:describe-stacks") == []
            production.stages["Prod"] = running("execution-1", "Succeeded")

    production.faults["codepipeline:get-pipeline-state"] = leave
    done, variables = production.plan()
    assert variables["CHANGED"] == "no"
    assert done.stdout.count("Waiting for the release execution-1 to leave the stage Prod.") == 1


@pytest.mark.parametrize("state", [running(EXECUTION), inbound("execution-1", enabled=False), {}])
def test_the_plan_waits_for_no_other(production: Production, state: dict[str, Any]) -> None:
    production.stages["Prod"] = state
    assert "Waiting" not in production.plan()[0].stdout


@pytest.mark.parametrize("waiting", [running("execution-1"), inbound("execution-1")])
@pytest.mark.parametrize("image", ["v1", "v2"])
def test_an_older_release_that_waits_for_approval_is_stopped(
    production: Production, waiting: dict[str, Any], image: str
) -> None:
    production.stages["Approve-Prod"] = waiting
    production.image = image
    production.planned()
    (request,) = production.requests("codepipeline:stop-pipeline-execution")
    assert (request["pipelineExecutionId"], request["abandon"]) == ("execution-1", True)
    assert EXECUTION in request["reason"]
    assert COMMIT in request["reason"]
    assert len(request["reason"]) <= 200


@pytest.mark.parametrize("waiting", [running("execution-3"), running(EXECUTION), running("execution-1", "Succeeded")])
def test_no_other_release_is_stopped(production: Production, waiting: dict[str, Any]) -> None:
    production.stages |= {"Approve-Prod": waiting, "Prod": running("execution-1", "Failed")}
    production.planned()
    assert production.requests("codepipeline:stop-pipeline-execution") == []


def test_a_release_that_has_ended_meanwhile_is_no_failure(production: Production) -> None:
    production.stages["Approve-Prod"] = running("execution-1")
    refuse = refused("PipelineExecutionNotStoppableException")

    def end(request: dict[str, Any]) -> None:
        production.stages["Approve-Prod"] = running("execution-1", "Failed")
        refuse(request)

    production.faults["codepipeline:stop-pipeline-execution"] = end
    assert production.planned()["CHANGED"] == "no"


def test_a_release_that_is_approved_meanwhile_is_waited_for_and_planned_after(production: Production) -> None:
    production.stages["Approve-Prod"] = running("execution-1")
    steps = iter(["approved", "in production", "ended"])

    def go_on(_: dict[str, Any]) -> None:
        step = next(steps, "") if production.requests("codepipeline:stop-pipeline-execution") else ""
        if step == "approved":
            production.stages |= {"Approve-Prod": running("execution-1", "Succeeded"), "Prod": running("execution-1")}
        elif step == "ended":
            production.stages["Prod"] = running("execution-1", "Succeeded")
            production.templates["alarms"] = topic("louder")
            production.release("alarms")

    production.faults["codepipeline:get-pipeline-state"] = go_on
    production.faults["codepipeline:stop-pipeline-execution"] = refused("PipelineExecutionNotStoppableException")
    done, variables = production.plan()
    assert "Planning again: another release has run in the stage Prod." in done.stdout
    assert variables["SUMMARY"] == "alarms: update Topic"


WINDOW = {"beforeEntryConditionState": {"latestExecution": {"status": "InProgress"}}}


@pytest.mark.parametrize("waiting", [running("execution-1"), inbound("execution-1")])
def test_an_older_release_that_waits_for_the_deployment_window_is_stopped(
    production: Production, waiting: dict[str, Any]
) -> None:
    production.stages["Prod"] = waiting | WINDOW

    def stop(_: dict[str, Any]) -> dict[str, Any]:
        production.stages["Prod"] = running("execution-1", "Stopped")
        return {}

    production.faults["codepipeline:stop-pipeline-execution"] = stop
    assert production.planned()["CHANGED"] == "no"
    (request,) = production.requests("codepipeline:stop-pipeline-execution")
    assert request["pipelineExecutionId"] == "execution-1"


def test_a_newer_release_that_waits_for_the_deployment_window_is_not_stopped(production: Production) -> None:
    production.stages["Prod"] = running("execution-3") | WINDOW
    assert production.planned()["CHANGED"] == "no"
    assert production.requests("codepipeline:stop-pipeline-execution") == []


@pytest.mark.parametrize("approval", [running("execution-1", "Succeeded"), running("execution-3"), {}])
def test_a_release_that_is_approved_before_it_is_stopped_goes_on(
    production: Production, approval: dict[str, Any]
) -> None:
    """Production's deployment may have begun: the plan waits for it."""
    production.stages["Approve-Prod"] = running("execution-1")

    def approve(_: dict[str, Any]) -> None:
        if not production.stages["Prod"]:
            production.stages |= {"Approve-Prod": approval, "Prod": running("execution-1")}

    def end(_: dict[str, Any]) -> None:
        if len(production.requests("codepipeline:get-pipeline-state")) == 5:
            production.stages["Prod"] = running("execution-1", "Succeeded")

    production.faults["codepipeline:list-pipeline-executions"] = approve
    production.faults["codepipeline:get-pipeline-state"] = end
    done, variables = production.plan()
    assert production.requests("codepipeline:stop-pipeline-execution") == []
    assert "Waiting for the release execution-1 to leave the stage Prod." in done.stdout
    assert "Planning again: another release has run in the stage Prod." in done.stdout
    assert variables["CHANGED"] == "no"


@pytest.mark.parametrize(
    ("look", "state"),
    [(1, running(EXECUTION, "Stopping")), (2, running(EXECUTION, "Stopped")), (3, running("execution-3")), (4, {})],
)
def test_a_release_that_was_stopped_stops_no_other(production: Production, look: int, state: dict[str, Any]) -> None:
    """CodeBuild continues the build of an abandoned execution, which finds that out at each look."""
    production.stages |= {"Approve-Prod": running("execution-1"), "Prod": running("execution-1")}

    def stop(_: dict[str, Any]) -> None:
        looks = len(production.requests("codepipeline:get-pipeline-state"))
        if looks == 2:
            production.stages["Prod"] = {}
        if looks == look:
            production.stages["Plan-Prod"] = state

    production.faults["codepipeline:get-pipeline-state"] = stop
    start = f"`aws codepipeline start-pipeline-execution --name {production.app} --region {REGION}`.\n"
    failed(production, f"the release {EXECUTION} has been stopped", start)
    assert production.requests("codepipeline:stop-pipeline-execution") == []
    assert len(production.requests("codepipeline:get-pipeline-state")) == look


def test_a_pipeline_that_cannot_be_read_fails(production: Production) -> None:
    production.faults["codepipeline:get-pipeline-state"] = refused("AccessDeniedException", "not authorized")
    failed(production, "`scaffold deploy`")
    production.faults["codepipeline:get-pipeline-state"] = lambda _: {"stageStates": []}
    failed(production, "has no stage Prod")


def test_variables_that_are_missing_are_named(production: Production, monkeypatch: pytest.MonkeyPatch) -> None:
    production.image = ""
    done, _ = production.plan()
    assert (done.returncode, done.stderr) == (2, "Set IMAGE_TAG.\n")


TASKS = {"Type": "AWS::ECS::TaskDefinition", "Properties": {"Family": {"Ref": "Version"}}}


@pytest.fixture
def running_production(service: Path, local: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Production:
    """A production whose releases can wait while their tasks run."""
    made = Production("running-plan", service, client(local), monkeypatch)
    made.longest_pause = "480"
    made.templates["task-definition"]["Resources"]["Tasks"] = TASKS
    made.templates["task-definition"]["Resources"].pop("Topic")
    switch = {"Type": "String", "Default": "false"}
    made.templates["service"]["Parameters"]["ApproveRunning"] = switch
    made.configurations["service"]["Parameters"]["ApproveRunning"] = "true"
    scaling = {"Type": "AWS::SNS::Topic", "Properties": {"DisplayName": {"Ref": "Level"}}}
    made.templates["service"]["Resources"]["Scaling"] = scaling
    made.templates["service"]["Outputs"]["TestHeader"] = {"Value": "random"}
    made.templates["environment"]["Outputs"]["ServiceUrl"] = {"Value": "http://prod"}
    made.write()
    made.release()
    made.image = "v2"
    return made


def asked(production: Production) -> tuple[str, str]:
    found = production.planned()
    return found["WAITS"], found["RUNNING"]


def test_a_new_task_definition_alone_is_approved_while_its_tasks_run(running_production: Production) -> None:
    assert asked(running_production) == ("no", "yes")
    (told,) = running_production.requests("sns:publish")
    assert "will wait for approval in the stage Prod.\n" in told["Message"]
    assert "  curl -H 'X-Test-Release: random' http://prod\n" in told["Message"]
    assert "`scaffold approve prod` or `scaffold reject prod`" in told["Message"]


def test_nothing_that_changes_is_approved_by_nobody(running_production: Production) -> None:
    running_production.image = "v1"
    assert asked(running_production) == ("no", "no")
    assert running_production.requests("sns:publish") == []


def _without_pause(production: Production) -> None:
    """A template that ignores the pause: its change set shows nothing."""
    production.templates["service"]["Description"] = "Does not wait"


def _other_resource(production: Production) -> None:
    production.templates["task-definition"]["Resources"]["Topic"] = {"Type": "AWS::SNS::Topic"}


def _no_new_tasks(production: Production) -> None:
    production.image = "v1"
    production.templates["task-definition"]["Outputs"]["More"] = {"Value": "x"}


def _scaling(production: Production) -> None:
    production.configurations["service"]["Parameters"]["Level"] = "high"


def _switched_off(production: Production) -> None:
    production.configurations["service"]["Parameters"]["ApproveRunning"] = "false"


def _tags(production: Production) -> None:
    production.configurations["service"]["Tags"]["team"] = "payments"


def _alarms(production: Production) -> None:
    production.templates["alarms"] = topic("louder")


@pytest.mark.parametrize(
    "change", [_without_pause, _other_resource, _no_new_tasks, _scaling, _switched_off, _tags, _alarms]
)
def test_everything_else_is_approved_before(
    running_production: Production, change: Callable[[Production], None]
) -> None:
    change(running_production)
    running_production.write()
    assert asked(running_production) == ("yes", "no")
    (told,) = running_production.requests("sns:publish")
    assert "waits for approval in the stage Approve-Prod.\n" in told["Message"]


class TestBuild:
    """The commands of the buildspec, in a source that has links of the names that they might use."""

    @pytest.fixture
    def build(self, generated: Path, tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
        commands = yaml.safe_load((generated / "config/buildspecs/plan.yml").read_text())["phases"]["build"]["commands"]
        source, programs = tmp_path / "source", tmp_path / "programs"
        for folder in (source, programs):
            folder.mkdir()
        for name in ("plan.env", "PLAN"):
            (source / name).symlink_to("/dev/null")

        def run(**exported: str) -> subprocess.CompletedProcess[str]:
            (programs / "exported").write_text("".join(f"export {name}={value}\n" for name, value in exported.items()))
            python = programs / "python3"
            python.write_text(f'#!/bin/sh\ncat {shlex.quote(str(programs / "exported"))} > "$2"\n')
            python.chmod(0o755)
            path = os.pathsep.join([str(programs), os.defpath])
            script = "\n".join([*commands, 'echo "$CHANGED, $SUMMARY, $STATE"'])
            variables = {"PATH": path, "TMPDIR": str(tmp_path)}
            return subprocess.run(
                ["bash", "-ec", script], cwd=source, env=variables, capture_output=True, text=True, check=False
            )

        return run

    def test_exports_the_plan(self, build: Callable[..., subprocess.CompletedProcess[str]]) -> None:
        done = build(CHANGED="no", SUMMARY="nothing", STATE="a=b")
        assert (done.returncode, done.stdout) == (0, "no, nothing, a=b\n"), done.stderr

    @pytest.mark.parametrize("missing", ["CHANGED", "SUMMARY", "STATE"])
    def test_fails_without_a_plan(self, build: Callable[..., subprocess.CompletedProcess[str]], missing: str) -> None:
        """CodePipeline skips the approval where a variable of its rule does not exist."""
        exported = {name: "x" for name in ("CHANGED", "SUMMARY", "STATE") if name != missing}
        done = build(**exported)
        assert done.returncode != 0
        assert done.stdout == ""


@given(names=st.lists(st.lists(st.text(max_size=80), max_size=9), max_size=6))
def test_a_summary_is_a_short_line_of_printable_characters(generated: Path, names: list[list[str]]) -> None:
    folder = str(generated / SCRIPTS)
    sys.path.insert(0, folder)
    try:
        import plan_changes
        import plan_release
        from plan_stacks import Source

        source = Source("service", "a-prod-service", "", {}, None, None)
        text = plan_release.summary([plan_changes.Planned(source, tuple(changes)) for changes in names])
    finally:
        sys.path.remove(folder)
    assert re.fullmatch("[ -~]{1,600}", text)
    assert "#{" not in text
    assert (text == "nothing changes") == (not any(names))
