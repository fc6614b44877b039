"""How releases are promoted from one environment to the next, with the roles of the templates."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from scaffold.commands import deploy
from scaffold.commands import override as override_command
from scaffold.commands.deploy import DeployOptions
from scaffold.commands.override import OverrideOptions
from scaffold.console.console import Console
from scaffold.core.errors import ScaffoldError, UsageError
from scaffold.deployment.follow import ReleaseFailed
from scaffold.deployment.override import OverrideResult
from scaffold.service.service import read
from scaffold.views import override as override_view
from scaffold.views import status as status_view
from tests.deploy.services import client, commit
from tests.release.rehearsals import small_service
from tests.release.services import decide, look, release, stage, try_again

# Several releases, each with builds.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]


def test_every_environment_waits_for_approval_where_the_answers_say_so(aws: None, tmp_path: Path) -> None:
    root = small_service(tmp_path / "every", app_name="every", environments="dev,live", approval="every")
    for environment, waits_in in (("dev", "Approve-Dev"), ("live", "Approve-Live")):
        found = release(root).release
        assert found
        assert found.waiting == waits_in
        decided = decide(root, environment=environment, yes=True, execution=found.execution)
        assert decided.release.plan
    assert release(root).exit_code == 0


def as_role(name: str, *policies: str) -> Any:
    """CodePipeline as a role with these policies calls it."""
    iam, account = client("iam"), client("sts").get_caller_identity()["Account"]
    trust = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{account}:root"}, "Action": "sts:AssumeRole"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=document)["Role"]["Arn"]
    for policy in policies:
        iam.attach_role_policy(RoleName=name, PolicyArn=policy)
    keys = client("sts").assume_role(RoleArn=role, RoleSessionName="ada")["Credentials"]
    its = {"aws_access_key_id": keys["AccessKeyId"], "aws_secret_access_key": keys["SecretAccessKey"]}
    return boto3.Session().client(
        "codepipeline", region_name="us-east-1", aws_session_token=keys["SessionToken"], **its
    )


def approve_through(codepipeline: Any, app: str) -> None:
    """Approve what waits for production, with the API alone."""
    (state,) = [one for one in stage(app, "Approve-Live")["actionStates"] if one["actionName"] == "Approval"]
    codepipeline.put_approval_result(
        pipelineName=app,
        stageName="Approve-Live",
        actionName="Approval",
        token=state["latestExecution"]["token"],
        result={"status": "Approved", "summary": "yes"},
    )


def test_only_approvers_release(aws: None, tmp_path: Path) -> None:
    root = small_service(tmp_path / "approvers", app_name="approvers", approvers="Releasers, Leads")
    app = read(root).app_name
    found = release(root).release
    assert found
    assert found.waiting == "Approve-Live"
    with pytest.raises(ScaffoldError, match="only the roles Releasers, Leads may") as refused:
        decide(root, yes=True, execution=found.execution)
    assert "--profile NAME" in refused.value.remedy
    described = client("cloudformation").describe_stacks(StackName=f"{app}-foundation")["Stacks"][0]["Outputs"]
    outputs = {one["OutputKey"]: one["OutputValue"] for one in described}
    # Those who merge may not release, whatever else they may do.
    statement = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    everything = client("iam").create_policy(
        PolicyName="everything",
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [statement]}),
    )["Policy"]["Arn"]
    for policies in ((everything, outputs["BranchProtectionArn"]), (outputs["ApproverArn"],)):
        with pytest.raises(ClientError, match="is not authorized to perform: codepipeline:PutApprovalResult"):
            approve_through(as_role(f"Developers{len(policies)}", *policies), app)
    # Who is denied by no policy approves in vain.
    approve_through(client("codepipeline"), app)
    with pytest.raises(ReleaseFailed, match="in the action PlanCheck of the stage Live"):
        release(root)
    commit(root, notes_txt="No file of a stack\n")
    assert release(root).release
    approve_through(as_role("Leads", outputs["ApproverArn"]), app)
    assert release(root).exit_code == 0


def test_no_environment_waits_for_approval_where_the_answers_say_so(aws: None, tmp_path: Path) -> None:
    root = small_service(tmp_path / "none", app_name="no-approval", approval="none")
    assert release(root).exit_code == 0


def test_no_release_enters_production_during_a_freeze(aws: None, tmp_path: Path) -> None:
    today = datetime.now(UTC).date()
    freeze = f"{today - timedelta(days=2)}..{today + timedelta(days=2)}"
    root = small_service(tmp_path / "frozen", app_name="frozen", approval="none", freezes=freeze)
    with pytest.raises(ReleaseFailed, match="in the action EntryCheck of the stage Live"):
        release(root)
    # A retry during the freeze ends in the same way, and nothing of production has changed.
    assert try_again(root, stage="live").actions == ("EntryCheck",)
    with pytest.raises(ReleaseFailed, match="in the action EntryCheck of the stage Live"):
        release(root)
    stack = f"{read(root).app_name}-live-environment"
    (found,) = client("cloudformation").describe_stacks(StackName=stack)["Stacks"]
    assert "Prepared" in [one["OutputKey"] for one in found["Outputs"]]


def until(what: str, holds: Callable[[], bool]) -> None:
    """Wait until something holds."""
    deadline = time.monotonic() + 300
    while not holds():
        assert time.monotonic() < deadline, what
        time.sleep(0.5)


def ring(name: str, missing: str = "breaching") -> None:
    """Replace an alarm by one on a metric without data, and wait until it is in ALARM, or with `notBreaching` not."""
    metric = {"Namespace": "Missing", "MetricName": "Missing", "Statistic": "Sum", "Period": 60}
    compared = {"EvaluationPeriods": 1, "Threshold": 1, "ComparisonOperator": "GreaterThanThreshold"}
    cloudwatch = client("cloudwatch")
    cloudwatch.put_metric_alarm(AlarmName=name, **metric, **compared, TreatMissingData=missing)

    def in_alarm() -> bool:
        return bool(cloudwatch.describe_alarms(AlarmNames=[name], StateValue="ALARM")["MetricAlarms"])

    until(f"{name} has not changed", lambda: in_alarm() == (missing == "breaching"))


def looking(root: Path, looks: int, blind_to: str = "") -> None:
    """Commit how often a service's releases look at alarms, each second, and which one they do not see."""
    script = root / "config/scripts/alarm_check.py"
    text = script.read_text().replace("LOOKS, PAUSE_SECONDS = 40, 15", f"LOOKS, PAUSE_SECONDS = {looks}, 1")
    assert text != script.read_text()
    commit(root, config__scripts__alarm_check_py=text.replace(f'"{blind_to}", ', "") if blind_to else text)


def test_no_release_enters_an_environment_while_the_one_before_is_in_alarm(aws: None, tmp_path: Path) -> None:
    root = small_service(tmp_path / "alarmed", app_name="alarmed", environments="dev,live", approval="none")
    looking(root, looks=1)
    assert release(root).exit_code == 0
    name = f"{read(root).app_name}-dev-memory"
    ring(name)
    commit(root, notes_txt="No file of a stack\n")
    with pytest.raises(ReleaseFailed, match="in the action StrategyGate of the stage Live"):
        release(root)
    ring(name, "notBreaching")
    assert try_again(root, stage="live").actions == ("StrategyGate",)
    assert release(root).exit_code == 0


def test_a_release_that_rings_while_it_soaks_is_rolled_back_and_goes_no_further(aws: None, tmp_path: Path) -> None:
    answers = {"environments": "dev,live", "approval": "none", "soak_minutes": 10}
    root = small_service(tmp_path / "soaking", app_name="soaking", **answers)
    app = read(root).app_name
    # It begins to ring after the last look of the release itself.
    looking(root, looks=300, blind_to="latency")
    assert release(root).exit_code == 0
    passed = stage(app, "Live")["latestExecution"]["pipelineExecutionId"]
    assert stage(app, "Dev")["onSuccessConditionState"]["latestExecution"]["status"] == "Succeeded"
    ring(f"{app}-dev-latency")
    commit(root, notes_txt="No file of a stack\n")
    with pytest.raises(ReleaseFailed, match="The release failed"):
        release(root)
    until("Dev is not rolled back", lambda: stage(app, "Dev")["latestExecution"]["type"] == "ROLLBACK")
    assert stage(app, "Live")["latestExecution"]["pipelineExecutionId"] == passed


FAILING = "from locust import HttpUser, constant, task\n\n\nclass User(HttpUser):\n    wait_time = constant(0.1)\n\n"
FAILING += "    @task\n    def fail(self):\n        with self.client.get('/', catch_response=True) as response:\n"
FAILING += "            response.failure('broken')\n"


def test_a_release_that_fails_its_load_test_is_rolled_back_and_goes_no_further(aws: None, tmp_path: Path) -> None:
    root = small_service(
        tmp_path / "loaded", app_name="loaded", environments="dev,live", approval="none", load_test="dev"
    )
    app, policy = read(root).app_name, root / "config/policies/load-test.toml"
    shorter = {"seconds = 60": "seconds = 10", "= 200": "= 20", "p95_milliseconds = 500": "p95_milliseconds = 20000"}
    text = policy.read_text()
    for old, new in shorter.items():
        assert text.count(old) == 1
        text = text.replace(old, new)
    policy.write_text(text)
    commit(root)
    assert release(root).exit_code == 0
    passed = stage(app, "Live")["latestExecution"]["pipelineExecutionId"]
    # The requests need no approval, and are measured by the limits that are deployed.
    (root / "config/tests/load/locustfile.py").write_text(FAILING)
    commit(root)
    with pytest.raises(ReleaseFailed, match="in the action LoadTest of the stage Dev"):
        release(root)
    codebuild = client("codebuild")
    newest = codebuild.list_builds_for_project(projectName=f"{app}-load-test", sortOrder="DESCENDING")["ids"]
    # The rollback of the stage may have begun another one.
    build = next(one for one in codebuild.batch_get_builds(ids=newest)["builds"] if one["buildStatus"] == "FAILED")
    cases = codebuild.describe_test_cases(reportArn=build["reportArns"][0])["testCases"]
    assert {one["name"]: one.get("message") for one in cases}["errors"] == "100.00 %, at most 1 %"
    until("Dev is not rolled back", lambda: stage(app, "Dev")["latestExecution"]["type"] == "ROLLBACK")
    assert stage(app, "Live")["latestExecution"]["pipelineExecutionId"] == passed


def test_a_release_that_ends_an_alarm_is_not_rolled_back(aws: None, tmp_path: Path) -> None:
    answers = {"environments": "dev,live", "approval": "none", "soak_minutes": 10}
    root = small_service(tmp_path / "ending", app_name="ending", **answers)
    app = read(root).app_name
    looking(root, looks=300)
    alarm = f"{app}-dev-latency"
    assert release(root).exit_code == 0
    passed = stage(app, "Dev")["latestExecution"]["pipelineExecutionId"]
    ring(alarm)
    commit(root, notes_txt="No file of a stack\n")
    deploy.run(DeployOptions(root), Console())

    def waits() -> bool:
        dev = stage(app, "Dev")
        states = {one["actionName"]: one.get("latestExecution", {}) for one in dev["actionStates"]}
        entered = dev["latestExecution"]["pipelineExecutionId"] != passed
        return entered and states["AlarmCheck"].get("status") == "InProgress"

    until("the release does not wait for the alarm", waits)
    ring(alarm, "notBreaching")
    assert release(root).exit_code == 0
    assert stage(app, "Dev")["latestExecution"]["type"] == "STANDARD"


def test_a_release_whose_condition_before_entry_fails_can_be_retried(aws: None, tmp_path: Path) -> None:
    root = small_service(
        tmp_path / "refused", app_name="refused", approval="none", windows="MON-SUN 00-24 Europe/Paris"
    )
    pipeline = (root / "infrastructure/pipeline.yaml").read_text()
    # CodePipeline refuses the zone when it evaluates the rule.
    commit(root, infrastructure__pipeline_yaml=pipeline.replace("Europe/Paris", "Europe/Nowhere"))
    for _ in range(2):
        with pytest.raises(ReleaseFailed, match=r"by the condition before the stage Live \(Window\)") as failed:
            release(root)
        assert "scaffold retry Live`" in failed.value.remedy
        # The retry evaluates it again.
        assert try_again(root, stage="live").actions == ()


def test_a_release_waits_for_its_window_until_that_is_overridden(aws: None, tmp_path: Path) -> None:
    # It opens in two days at the earliest.
    day = (datetime.now(UTC) + timedelta(days=3)).strftime("%a").upper()
    answers = {"approval": "none", "windows": f"{day} 00-24 UTC"}
    root = small_service(tmp_path / "windowed", app_name="windowed", **answers)
    app = read(root).app_name
    deploy.run(DeployOptions(root), Console())
    until("the release does not wait", lambda: bool(stage(app, "Live").get("beforeEntryConditionState")))
    execution = stage(app, "Live")["latestExecution"]["pipelineExecutionId"]
    assert "condition before the stage (Window): InProgress" in status_view.text(look(root))

    def override(**options: Any) -> OverrideResult:
        given = OverrideOptions(**{"stage": "live", "reason": "A customer waits", "directory": root, **options})
        return override_command.run(given, Console(), override_view.describe)

    with pytest.raises(UsageError, match="Cannot ask for confirmation") as refused:
        override()
    assert f"--yes --execution {execution}`" in refused.value.remedy
    with pytest.raises(UsageError, match="has no stage 'absent'"):
        override(stage="absent", yes=True, execution=execution)
    with pytest.raises(ScaffoldError, match="is not in the stage Live"):
        override(yes=True, execution="another")
    for reason in (" ", "x" * 513):
        with pytest.raises(UsageError, match="The reason has"):
            override(yes=True, execution=execution, reason=reason)
    with pytest.raises(ScaffoldError, match="No condition blocks the stage Build"):
        override(stage="Build", yes=True, execution=execution)
    made = override(yes=True, execution=execution)
    assert made.told
    assert "a comment on the commit" in override_view.text(made)
    assert release(root).exit_code == 0
    comments = client("codecommit").get_comments_for_compared_commit(
        repositoryName=app, afterCommitId=str(made.release.commit)
    )
    ((comment,),) = [one["comments"] for one in comments["commentsForComparedCommitData"]]
    assert comment["content"].endswith(f"for the execution {execution}: A customer waits")
    assert "arn:aws:" in comment["content"]
    with pytest.raises(ScaffoldError, match="No condition blocks the stage Live"):
        override(yes=True, execution=execution)
