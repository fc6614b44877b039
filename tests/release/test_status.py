"""What `scaffold status` says, and which permissions it and its neighbours need."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from scaffold.aws.databases import Cluster
from scaffold.aws.pipeline_state import ActionState
from scaffold.aws.running_service import Image, ServiceDeployment, Tasks
from scaffold.core.git import git
from scaffold.deployment.environment_database import EnvironmentDatabase
from scaffold.deployment.follow import ReleaseFailed
from scaffold.service import names
from scaffold.service.service import read
from scaffold.views import deploy as deploy_view
from scaffold.views.status import text
from tests.deploy.services import Wire, client, commit
from tests.release.services import ENVIRONMENT, IMPORTING, actions, decide, look, release, try_again

DIGEST = f"sha256:{'0' * 64}"
TASK_DEFINITION = """\
Parameters:
  ImageUri: {Type: String}
  Version: {Type: String}
Resources:
  Topic: {Type: AWS::SNS::Topic}
"""
ALARMS = """\
Resources:
  Alarm:
    Type: AWS::CloudWatch::Alarm
    Properties:
      AlarmName: %s
      ComparisonOperator: GreaterThanThreshold
      EvaluationPeriods: 1
      MetricName: Errors
      Namespace: Tests
      Period: 60
      Statistic: Sum
      Threshold: 1
      TreatMissingData: breaching
"""


def create(app: str, kind: str, body: str, **parameters: str) -> None:
    name = f"{app}-dev-{kind}"
    client("cloudformation").create_stack(
        StackName=name,
        TemplateBody=body,
        Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()],
        Tags=[{"Key": names.TAG_SERVICE, "Value": app}],
    )
    client("cloudformation").get_waiter("stack_create_complete").wait(
        StackName=name, WaiterConfig={"Delay": 0.1, "MaxAttempts": 600}
    )


def test_status_and_the_policy_for_releases(service: Path, wire: Wire) -> None:
    app = read(service).app_name
    body = ENVIRONMENT + "Outputs:\n  ServiceUrl: {Value: 'http://127.0.0.1:9'}\n"
    first = commit(service, "Start", infrastructure__environment_yaml=body, release_txt="20260131-0915-v1\n")
    assert release(service).exit_code == 11
    rings = (f"{app}-dev-5xx", f"{app}-dev-no-healthy-task")
    for kind, alarm in zip(("alarms", "service"), rings, strict=True):
        create(app, kind, ALARMS % alarm)
    create(app, "task-definition", TASK_DEFINITION, ImageUri=f"{app}@{DIGEST}", Version="v1")
    # Begins like this service's, and is another service's.
    client("cloudwatch").put_metric_alarm(
        AlarmName=f"{app}-dev-prod-5xx", MetricName="E", Namespace="T", Period=60, EvaluationPeriods=1,
        Statistic="Sum", Threshold=1, ComparisonOperator="GreaterThanThreshold", TreatMissingData="breaching",
    )  # fmt: skip
    for alarm in (*rings, f"{app}-dev-prod-5xx"):
        client("cloudwatch").set_alarm_state(AlarmName=alarm, StateValue="ALARM", StateReason="test")
    git("tag", "v1.0", cwd=service)
    # Only main in the repository has it.
    commit(service, "Local work")

    wire.calls.clear()
    state = look(service)
    assert len(wire.calls) <= 5 + 6 * len(state.environments)
    assert (state.head, state.subject, state.unpushed) == (first, "Start", 1)
    dev, prod = state.environments
    assert (dev.url, dev.answers, dev.version) == ("http://127.0.0.1:9", None, "v1")
    assert dev.no_answer
    assert "cannot be reached" in dev.no_answer
    assert dev.alarms == rings
    assert (dev.commit, dev.ahead, dev.image, dev.tasks) == (first, 0, None, None)
    assert (prod.production, prod.commit, prod.url) == (True, None, None)
    assert dev.tags == ("v1.0",)
    assert dev.release
    assert (dev.release.status, dev.release.commit) == ("Succeeded", first)
    assert dev.completed
    assert (dev.completed.name, dev.completed.version, dev.completed.tag) == ("20260131-0915-v1", "v1", None)
    assert prod.completed is None
    assert prod.release
    assert prod.release.status == "InProgress"
    shown = text(state)
    assert f"main is {first[:7]} Start; 1 local commit not pushed" in shown
    assert "Approval waits for a decision since" in shown
    assert f"commit      {first[:7]} (v1.0); as main" in shown
    assert f"release     succeeded, commit {first[:7]}, " in shown
    assert f"in ALARM: {', '.join(rings)}" in shown
    assert "none before the first release" in shown
    json.dumps(state.document(), default=str)

    behind = release(service)
    assert behind.release
    assert (behind.exit_code, behind.release.waiting) == (11, "Prod")
    assert "an earlier release waits for approval" in deploy_view.text(behind)
    decide(service, yes=True, execution=behind.release.behind)
    waiting = released(service)
    decide(service, yes=True, execution=waiting)
    assert release(service).exit_code == 0
    commit(service, infrastructure__environment_yaml=IMPORTING % f"{app}-missing")
    wire.calls.clear()
    with pytest.raises(ReleaseFailed):
        release(service)
    failed, complete = look(service).environments
    # Nothing has tagged the release of this small pipeline.
    assert complete.differences == ("The repository has no tag v20260131-0915-v1.",)
    assert failed.release
    assert (failed.release.status, failed.commit != failed.release.commit) == ("Failed", True)
    assert try_again(service).stage == "Dev"
    made = {call for call in wire.calls if not call.startswith(("sts:", "test"))}
    look(service, drift=True)
    made |= set(wire.calls)
    policy = actions("operator-policy-release")
    assert "codepipeline:RetryStageExecution" in made
    assert {call for call in made if call.startswith("codepipeline:")} - policy <= {
        # As after any deployment; the second is the approver's.
        *actions("operator-policy"),
        "codepipeline:PutApprovalResult",
    }
    # Of logs, of a database, of the record of a release, of override, of a pause, and of rollback, after which retry
    # enables the transition.
    assert policy - made == {
        "codebuild:BatchGetBuilds",
        "codebuild:ListBuildsForProject",
        "codecommit:PostCommentForComparedCommit",
        "codepipeline:DisableStageTransition",
        "codepipeline:EnableStageTransition",
        "codepipeline:OverrideStageCondition",
        "codepipeline:RollbackStage",
        "ecs:DescribeServiceDeployments",
        "ecs:StopServiceDeployment",
        "kms:Decrypt",
        "kms:GenerateDataKey",
        "logs:FilterLogEvents",
        "logs:GetLogEvents",
        "rds:DescribeDBClusters",
        "s3:GetObject",
        "s3:ListBucket",
        "sns:Publish",
    }


def released(service: Path) -> str:
    """The execution of the newest commit, once it waits itself."""
    while True:
        waiting = release(service).release
        assert waiting
        if not waiting.behind:
            return waiting.execution


@pytest.mark.slow
def test_what_runs_is_described_in_words(service: Path) -> None:
    commit(service, infrastructure__environment_yaml=ENVIRONMENT)
    assert release(service).exit_code == 11
    state = look(service)
    running = state.environments[0].__class__(
        name="dev",
        production=False,
        url="http://x",
        answers="v2",
        no_answer=None,
        version="v3",
        image=Image(DIGEST, ("v3",), "COMPLETE", {"HIGH": 2, "LOW": 0}),
        commit="0" * 40,
        ahead=None,
        tasks=Tasks(1, 2),
        alarms=(),
        deployment=ServiceDeployment("ROLLBACK_SUCCESSFUL", "alarms\ndetected", None),
        stacks={"x-dev-service": "UPDATE_ROLLBACK_COMPLETE"},
        database=EnvironmentDatabase(
            Cluster("x-dev", "available", 0.5, 4.0, protected=False),
            ActionState("Migrate", "Succeeded", None, None, None, None, None),
            "turn-on",
        ),
        restored=Cluster("x-dev-restored", "available", 0, 2.0, protected=True),
    )
    shown = text(state.__class__(**{**vars(state), "environments": (running,)}))
    unprotected = "its deletion protection is off; `scaffold repair dev` turns it on"
    assert shown.count(unprotected) == 1
    beside = replace(running, restored=Cluster("x-dev-restored", "available", 0, 2.0, protected=False))
    assert text(replace(state, environments=(beside,))).count(unprotected) == 2
    for words in (
        unprotected,
        "v2 answers; its task definition says v3",
        "run `git fetch`",
        "scan complete: 2 high",
        "1 of 2 running",
        "rollback successful: alarms detected",
        "x-dev is available, with 0.5 to 4 ACU; last migration succeeded",
        "x-dev-restored is available, with 0 to 2 ACU\n",
        "x-dev-service is UPDATE_ROLLBACK_COMPLETE",
    ):
        assert words in shown
