"""Releases followed, approved, rejected and retried, on a local AWS whose pipelines run."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from scaffold.commands import deploy
from scaffold.commands.deploy import DeployOptions
from scaffold.console.console import Console
from scaffold.core.errors import ScaffoldError, UsageError
from scaffold.core.git import git
from scaffold.deployment.approval import Rejection
from scaffold.deployment.follow import ReleaseFailed
from scaffold.service import history
from scaffold.service.service import read
from scaffold.views import deploy as deploy_view
from scaffold.views import releases
from scaffold.views import status as status_view
from tests.deploy.services import Wire, all_stacks, client, commit, make_service, source_rule
from tests.release.services import ENVIRONMENT, IMPORTING, actions, decide, look, release, try_again


def test_a_release_waits_for_approval_and_reaches_production(service: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first = commit(service, infrastructure__environment_yaml=ENVIRONMENT)
    waiting = release(service)
    assert (waiting.exit_code, waiting.release and waiting.release.waiting) == (11, "Prod")
    assert waiting.release
    assert "waits for approval in the stage Prod" in deploy_view.text(waiting)
    execution = waiting.release.execution

    with pytest.raises(UsageError) as refused:
        decide(service)
    assert f"scaffold approve --directory {service} --yes --execution {execution}`" in refused.value.remedy
    approved = decide(service, yes=True, execution=execution, message="Tried it")
    assert (approved.release.version, approved.release.commit) == ("v1", first)
    assert "version    v1" in releases.describe(approved.release)
    assert "version v1" in releases.text(approved)

    released = release(service)
    assert (released.exit_code, released.release and released.release.waiting) == (0, None)
    assert "runs in every environment" in deploy_view.text(released)
    state = look(service)
    assert {one.name: (one.commit, one.ahead) for one in state.environments} == {
        "dev": (first, 0),
        "prod": (first, 0),
    }

    second = commit(service, "Say more", version_txt="v2\n")
    waiting = release(service)
    assert waiting.release
    decided = decide(service, environment="prod", yes=True, execution=waiting.release.execution)
    assert decided.release.commits is not None
    assert [one.id for one in decided.release.commits] == [second]
    assert f"  {second[:7]} Say more" in releases.describe(decided.release)
    assert release(service).release == waiting.release.__class__(waiting.release.execution, second, None)


def test_a_rejected_release_fails_and_changes_nothing(service: Path) -> None:
    commit(service, infrastructure__environment_yaml=ENVIRONMENT)
    waiting = release(service)
    assert waiting.release
    decide(service, Rejection, yes=True, execution=waiting.release.execution, message="Not on a Friday")
    with pytest.raises(ReleaseFailed) as failed:
        release(service)
    assert "in the action Approval of the stage Prod" in failed.value.happened
    assert "Not on a Friday" in failed.value.happened
    stacks = [stack["StackName"] for stack in all_stacks()]
    assert f"{read(service).app_name}-prod-environment" not in stacks


FAILING_BUILD = """\
for number in {{1..40}}; do echo "line $number"; done
echo "{last}" >&2
false
"""
UNREACHED = "npm error request to https://registry.example/x failed, reason: self-signed certificate"


@pytest.mark.slow
def test_a_failed_build_shows_its_last_lines(service: Path, wire: Wire, capsys: pytest.CaptureFixture[str]) -> None:
    commit(service, infrastructure__environment_yaml=ENVIRONMENT, plan_env=FAILING_BUILD.format(last="no such module"))
    with pytest.raises(ReleaseFailed) as failed:
        release(service)
    assert "in the action Build of the stage Build: Build terminated with state: FAILED" in failed.value.happened
    assert failed.value.log[-2:] == ("line 40", "no such module")
    assert "line 2" not in failed.value.log
    capsys.readouterr()
    Console(json=True).render_error(failed.value)
    output, errors = capsys.readouterr()
    assert "\n  line 40\n  no such module\nError: The release failed in the action Build" in errors
    assert json.loads(output)["error"]["log"][-1] == "no such module"
    made = {call for call in wire.calls if call.startswith(("codebuild:", "logs:"))}
    assert made == {"codebuild:BatchGetBuilds", "logs:GetLogEvents"}
    assert made <= actions("operator-policy-release")
    shown = status_view.text(look(service))
    hint = rf"^      `scaffold logs --build {read(service).app_name}-build:[\w-]+` shows its log$"
    assert re.search(hint, shown, re.MULTILINE), shown

    # Who may release need not be allowed to read logs.
    wire.refuse("GetLogEvents", "AccessDeniedException", "not authorized to perform: logs:GetLogEvents", times=1)
    with pytest.raises(ReleaseFailed) as failed:
        release(service)
    assert "in the action Build of the stage Build: Build terminated with state: FAILED" in failed.value.happened
    assert failed.value.log == ()

    commit(service, plan_env=FAILING_BUILD.format(last=UNREACHED))
    with pytest.raises(ReleaseFailed) as failed:
        release(service)
    cause = "npm could not reach registry.example (self-signed certificate)"
    assert failed.value.happened == f"The release failed in the action Build of the stage Build: {cause}."
    assert "into ~/.npmrc" in failed.value.remedy
    assert failed.value.remedy.endswith("then build again: `scaffold retry Build`.")


@pytest.mark.slow
def test_a_failed_stage_is_retried(service: Path) -> None:
    app = read(service).app_name
    commit(service, infrastructure__environment_yaml=IMPORTING % f"{app}-later")
    with pytest.raises(ReleaseFailed) as failed:
        release(service)
    assert "in the action Environment of the stage Dev" in failed.value.happened
    assert f"{app}-later" in failed.value.happened
    assert "`scaffold retry Dev`" in failed.value.remedy
    body = ENVIRONMENT + f"Outputs:\n  Value: {{Value: x, Export: {{Name: {app}-later}}}}\n"
    client("cloudformation").create_stack(StackName=f"{app}-exports", TemplateBody=body)
    client("cloudformation").get_waiter("stack_create_complete").wait(
        StackName=f"{app}-exports", WaiterConfig={"Delay": 0.1, "MaxAttempts": 600}
    )
    # A stack whose creation failed cannot be updated.
    client("cloudformation").delete_stack(StackName=f"{app}-dev-environment")
    client("cloudformation").get_waiter("stack_delete_complete").wait(
        StackName=f"{app}-dev-environment", WaiterConfig={"Delay": 0.1, "MaxAttempts": 600}
    )
    retried = try_again(service, stage="dev")
    assert (retried.stage, retried.actions) == ("Dev", ("Environment",))
    waiting = release(service)
    assert (waiting.release and waiting.release.execution, waiting.exit_code) == (retried.execution, 11)
    with pytest.raises(ScaffoldError, match="No stage has failed"):
        try_again(service)
    with pytest.raises(ScaffoldError, match="The stage Dev has not failed"):
        try_again(service, stage="Dev")
    with pytest.raises(UsageError, match="has no stage 'test'"):
        try_again(service, stage="test")


@pytest.mark.slow
def test_a_stopped_release_is_retried_from_its_stage(service: Path) -> None:
    commit(service, infrastructure__environment_yaml=ENVIRONMENT)
    waiting = release(service)
    assert waiting.release
    app = read(service).app_name
    client("codepipeline").stop_pipeline_execution(
        pipelineName=app, pipelineExecutionId=waiting.release.execution, abandon=True
    )
    with pytest.raises(ScaffoldError, match=r"No release of .* waits for approval"):
        decide(service, yes=True, execution=waiting.release.execution)
    assert try_again(service).stage == "Prod"
    assert release(service).exit_code == 11


def test_decisions_name_the_release(service: Path) -> None:
    commit(service, infrastructure__environment_yaml=ENVIRONMENT)
    assert release(service).exit_code == 11
    with pytest.raises(UsageError, match="the release has to be named"):
        decide(service, yes=True)
    with pytest.raises(ScaffoldError, match="execution 1234 does not wait for approval"):
        decide(service, yes=True, execution="1234")
    with pytest.raises(UsageError, match="has no environment 'test'"):
        decide(service, environment="test")
    with pytest.raises(UsageError, match="513 characters"):
        decide(service, message="x" * 513)
    with pytest.raises(ScaffoldError, match="waits for approval for dev"):
        decide(service, environment="dev")


@pytest.mark.slow
def test_another_decision_came_first(service: Path, wire: Wire) -> None:
    commit(service, infrastructure__environment_yaml=ENVIRONMENT)
    waiting = release(service)
    assert waiting.release
    execution = waiting.release.execution
    # The state that was read before the other person decided.
    wire.touched["GetPipelineState"] = lambda _parsed: (
        wire.touched.clear() or decide(service, yes=True, execution=execution)
    )
    with pytest.raises(ScaffoldError, match="no longer waits in the stage Prod"):
        decide(service, Rejection, yes=True, execution=execution)
    assert release(service).exit_code == 0


def test_nothing_is_deployed(service: Path) -> None:
    for command in (decide, try_again, look):
        with pytest.raises(ScaffoldError) as failed:
            command(service)
        assert "has no pipeline in local AWS" in failed.value.happened
        assert "`scaffold deploy`" in failed.value.remedy


@pytest.mark.slow
def test_a_lost_push_is_made_up_for(
    service: Path, wire: Wire, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    commit(service, infrastructure__environment_yaml=ENVIRONMENT)
    waiting = release(service)
    assert waiting.release
    decide(service, yes=True, execution=waiting.release.execution)
    assert release(service).exit_code == 0
    app = read(service).app_name
    client("events").disable_rule(Name=source_rule(app))
    head = commit(service, version_txt="v2\n")
    monkeypatch.setattr("scaffold.deployment.release_start._START_SECONDS", 1)
    wire.calls.clear()
    deploy.run(DeployOptions(service), Console())
    calls = {call for call in wire.calls if call.startswith("codepipeline:")}
    assert "codepipeline:StartPipelineExecution" in calls
    assert calls | {"codepipeline:RetryStageExecution"} <= actions("operator-policy")
    executions = client("codepipeline").list_pipeline_executions(pipelineName=app)["pipelineExecutionSummaries"]
    commits = [one["sourceRevisions"][0]["revisionId"] for one in executions]
    assert commits.count(head) == 1
    assert f"has not started for commit {head[:7]}: starting it" in capsys.readouterr().err
    assert release(service).exit_code == 11


@pytest.mark.slow
def test_a_push_by_git_that_starts_nothing(service: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    commit(service, infrastructure__environment_yaml=ENVIRONMENT)
    assert release(service).exit_code == 11
    app = read(service).app_name
    client("events").disable_rule(Name=source_rule(app))
    commit(service, version_txt="v2\n")
    git("push", "-q", "origin", "main", cwd=service)
    monkeypatch.setattr("scaffold.deployment.follow._START_SECONDS", 1)
    with pytest.raises(ScaffoldError) as failed:
        release(service)
    head = git("rev-parse", "HEAD", cwd=service)[:7]
    assert f"has not started a release of commit {head}" in failed.value.happened
    assert f"start-pipeline-execution --region us-east-1 --name {app}" in failed.value.remedy


def test_another_service_of_the_same_name(service: Path, tmp_path: Path) -> None:
    """Its release is neither shown nor decided, nor is its stage run again."""
    commit(service, infrastructure__environment_yaml=ENVIRONMENT)
    waiting = release(service)
    assert waiting.release
    other = make_service(tmp_path / "other", read(service).app_name, description="another one")
    execution = waiting.release.execution
    for command in (
        lambda: decide(other, yes=True, execution=execution),
        lambda: try_again(other),
        lambda: look(other),
    ):
        with pytest.raises(ScaffoldError, match="is not this service's: the root commit"):
            command()
    assert release(service).exit_code == 11


@pytest.mark.slow
def test_a_rollback_hides_neither_the_failure_nor_its_reason(service: Path) -> None:
    """The stage shows the rollback, which succeeds, and has the commit of the release before."""
    template = (service / "infrastructure/pipeline.yaml").read_text()
    rolled_back = template.replace(
        "        - Name: Dev\n", "        - Name: Dev\n          OnFailure: {Result: ROLLBACK}\n"
    )
    first = commit(service, infrastructure__environment_yaml=ENVIRONMENT, infrastructure__pipeline_yaml=rolled_back)
    waiting = release(service)
    assert waiting.release
    decide(service, yes=True, execution=waiting.release.execution)
    assert release(service).exit_code == 0
    missing = f"{read(service).app_name}-missing"
    commit(service, infrastructure__environment_yaml=IMPORTING % missing)
    for _ in range(2):
        with pytest.raises(ReleaseFailed) as failed:
            release(service)
        assert "in the action Environment of the stage Dev" in failed.value.happened
        assert missing in failed.value.happened
    assert "scaffold retry" not in failed.value.remedy
    git("reset", "-q", "--hard", first, cwd=service)
    found = look(service)
    assert found.environments[0].commit == first


@pytest.mark.slow
def test_a_disabled_transition_is_named(service: Path) -> None:
    commit(service, infrastructure__environment_yaml=ENVIRONMENT)
    assert release(service).exit_code == 11
    app = read(service).app_name
    client("codepipeline").disable_stage_transition(
        pipelineName=app, stageName="Dev", transitionType="Inbound", reason="a freeze"
    )
    commit(service, version_txt="v2\n")
    with pytest.raises(ReleaseFailed) as failed:
        release(service)
    assert "the transition into the stage Dev is disabled: a freeze" in failed.value.happened
    assert f"enable-stage-transition --region us-east-1 --pipeline-name {app} --stage-name Dev" in failed.value.remedy


def test_signatures_shown_in_the_log_are_no_commits(service: Path) -> None:
    git("config", "log.showSignature", "true", cwd=service)
    head = commit(service, "Say more")
    found = history.find(read(service), head)
    assert found
    assert found.subject == "Say more"


def test_a_local_aws_that_runs_nothing_has_no_release(service: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCAFFOLD_LOCAL_RUNS", "0")
    with pytest.raises(UsageError, match="no release to wait for"):
        release(service)
