"""Pipelines that run on local AWS: pushed to with Git, and watched and steered with stock clients."""

from __future__ import annotations

import functools
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.request import ProxyHandler, build_opener

import boto3
import pytest
from botocore.exceptions import ClientError

from scaffold.local.credentials import ACCESS_KEY, SECRET_KEY
from scaffold.local.environment import running_local_aws
from tests.engine.conftest import BUCKET, REGION, Client, Repository, eventually, name_of
from tests.engine.roles import create_role, create_roles

GET = build_opener(ProxyHandler({})).open
ROLE = "arn:aws:iam::000000000000:role/pipeline"
BROKEN = {"Type": "AWS::IAM::ManagedPolicy", "Properties": {"PolicyDocument": {"Version": "1066-10-14"}}}
ENDED = ("Succeeded", "Failed", "Stopped", "Cancelled", "Superseded")


def template(title: str, **more: Any) -> str:
    topic = {"Type": "AWS::SNS::Topic", "Properties": {"DisplayName": title}}
    outputs = {"Title": {"Value": title}}
    return json.dumps({"Resources": {"Topic": topic} | more, "Outputs": outputs})


def action(name: str, provider: str, order: int = 1, **configuration: str) -> dict[str, Any]:
    categories = {"CodeCommit": "Source", "CodeBuild": "Build", "Manual": "Approval"}
    kind = {"category": categories.get(provider, "Deploy"), "owner": "AWS", "provider": provider, "version": "1"}
    made: dict[str, Any] = {"name": name, "actionTypeId": kind, "runOrder": order, "configuration": configuration}
    made["namespace"] = f"{name}Variables"
    if provider == "CodeCommit":
        made["outputArtifacts"] = [{"name": "Source"}]
    elif provider != "Manual":
        made["inputArtifacts"] = [{"name": "Source"}]
    return made


class Pipeline:
    """A pipeline whose source is a repository."""

    def __init__(self, name: str, client: Client) -> None:
        self.name = name
        self.role = ROLE
        self.api = client("codepipeline")
        self._client = client

    def create(self, *stages: dict[str, Any]) -> None:
        """Create it, with a rule that starts it after a push."""
        self.api.create_pipeline(pipeline=self.declaration(*stages))
        arn = f"arn:aws:codepipeline:{REGION}:000000000000:{self.name}"
        pattern = {
            "source": ["aws.codecommit"],
            "detail-type": ["CodeCommit Repository State Change"],
            "resources": [f"arn:aws:codecommit:{REGION}:000000000000:{self.name}"],
            "detail": {"event": ["referenceCreated", "referenceUpdated"], "referenceName": ["main"]},
        }
        events = self._client("events")
        events.put_rule(Name=self.name, EventPattern=json.dumps(pattern))
        events.put_targets(Rule=self.name, Targets=[{"Id": "pipeline", "Arn": arn, "RoleArn": self.role}])

    def declaration(self, *stages: dict[str, Any]) -> dict[str, Any]:
        source = action(
            "Source", "CodeCommit", RepositoryName=self.name, BranchName="main", PollForSourceChanges="false"
        )
        return {
            "name": self.name,
            "roleArn": self.role,
            "pipelineType": "V2",
            "executionMode": "QUEUED",
            "artifactStore": {"type": "S3", "location": BUCKET},
            "stages": [{"name": "Source", "actions": [source]}, *stages],
        }

    def executions(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.api.list_pipeline_executions(pipelineName=self.name)[
            "pipelineExecutionSummaries"
        ]
        return found

    def started_by(self, commit: str) -> dict[str, Any]:
        """The execution of a commit, once it has ended."""

        def find() -> dict[str, Any] | None:
            for one in self.executions():
                revisions = [revision["revisionId"] for revision in one["sourceRevisions"]]
                if commit in revisions and one["status"] in ENDED:
                    return one
            return None

        found: dict[str, Any] = eventually(find)
        assert found, self.executions()
        return found

    def action(self, name: str) -> dict[str, Any]:
        """The latest execution of an action."""
        for stage in self.api.get_pipeline_state(name=self.name)["stageStates"]:
            for state in stage["actionStates"]:
                if state["actionName"] == name:
                    return state.get("latestExecution", {}) | {"stage": stage["stageName"]}
        raise AssertionError(name)

    def wait_for(self, name: str, status: str) -> dict[str, Any]:
        """The latest execution of an action, once it has a status."""
        eventually(lambda: self.action(name).get("status") == status)
        found = self.action(name)
        assert found.get("status") == status, found
        return found

    def answer(self, status: str = "Approved", name: str = "Approval") -> None:
        waiting = self.wait_for(name, "InProgress")
        result = {"summary": "Seen", "status": status}
        given = {"stageName": waiting["stage"], "actionName": name, "result": result, "token": waiting["token"]}
        self.api.put_approval_result(pipelineName=self.name, **given)


@pytest.fixture
def pipeline(client: Client, request: pytest.FixtureRequest) -> Iterator[Pipeline]:
    made = Pipeline(name_of(request), client)
    yield made
    made.api.delete_pipeline(name=made.name)


def stack(name: str, order: int = 1, mode: str = "CREATE_UPDATE", path: str = "t.json", **more: str) -> dict[str, Any]:
    given = {"ActionMode": mode, "StackName": name, "TemplatePath": f"Source::{path}"} | more
    given["Capabilities"] = "CAPABILITY_IAM, CAPABILITY_NAMED_IAM"
    return action(name, "CloudFormation", order, **given)


def stage(stage_name: str, *actions: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"name": stage_name, "actions": list(actions)} | more


def outputs(client: Client, name: str) -> dict[str, str]:
    (found,) = client("cloudformation").describe_stacks(StackName=name)["Stacks"]
    return {one["OutputKey"]: one["OutputValue"] for one in found.get("Outputs", [])}


def test_a_push_reaches_production_after_approval(pipeline: Pipeline, repository: Repository, client: Client) -> None:
    overrides = json.dumps({"Title": "#{FirstStackVariables.Title} of #{SourceVariables.CommitMessage}"})
    parameter = json.loads(template("")) | {"Parameters": {"Title": {"Type": "String"}}}
    parameter["Outputs"] = {"Title": {"Value": {"Ref": "Title"}}}
    first, second = stack("FirstStack"), stack("SecondStack", 2, path="second.json", ParameterOverrides=overrides)
    approval = action("Approval", "Manual", 1, CustomData="Commit #{SourceVariables.CommitId}")
    pipeline.create(stage("Test", first), stage("Prod", approval, second))
    commit = repository.push("The first", t__json=template("one"), second__json=json.dumps(parameter))
    waiting = pipeline.wait_for("Approval", "InProgress")
    assert waiting["token"]
    pipeline.answer()
    done = pipeline.started_by(commit)
    assert (done["status"], done["trigger"]["triggerType"]) == ("Succeeded", "CloudWatchEvent")
    assert outputs(client, "SecondStack") == {"Title": "one of The first"}

    details = pipeline.api.list_action_executions(
        pipelineName=pipeline.name, filter={"pipelineExecutionId": done["pipelineExecutionId"]}
    )["actionExecutionDetails"]
    assert [one["actionName"] for one in details] == ["SecondStack", "Approval", "FirstStack", "Source"]
    assert details[1]["input"]["resolvedConfiguration"] == {"CustomData": f"Commit {commit}"}
    assert details[2]["output"]["outputVariables"] == {"Title": "one"}
    one = pipeline.api.get_pipeline_execution(
        pipelineName=pipeline.name, pipelineExecutionId=done["pipelineExecutionId"]
    )["pipelineExecution"]
    assert one["artifactRevisions"][0]["revisionId"] == commit


def test_a_failed_action_says_which_resource_failed(pipeline: Pipeline, repository: Repository) -> None:
    pipeline.create(stage("Test", stack("BrokenStack")))
    done = pipeline.started_by(repository.push(t__json=template("one", Broken=BROKEN)))
    assert done["status"] == "Failed"
    error = pipeline.action("BrokenStack")["errorDetails"]
    assert error["code"] == "JobFailed"
    assert error["message"].startswith("The stack BrokenStack has the status ROLLBACK_COMPLETE: Broken: ")


@pytest.mark.slow
def test_a_failed_first_creation_is_replaced(pipeline: Pipeline, repository: Repository, client: Client) -> None:
    pipeline.create(stage("Test", stack("Replaced", mode="REPLACE_ON_FAILURE")))
    assert pipeline.started_by(repository.push(t__json=template("one", Broken=BROKEN)))["status"] == "Failed"
    assert pipeline.started_by(repository.push(t__json=template("two")))["status"] == "Succeeded"
    assert outputs(client, "Replaced") == {"Title": "two"}


@pytest.mark.slow
def test_a_failed_first_release_is_rolled_back_to_the_placeholder(
    pipeline: Pipeline, repository: Repository, client: Client
) -> None:
    """What `scaffold deploy` has created is there before and after, and the next release updates it."""
    cloudformation = client("cloudformation")
    cloudformation.create_stack(StackName="Prepared", TemplateBody=template("placeholder"))
    waiter = cloudformation.get_waiter("stack_create_complete")
    waiter.wait(StackName="Prepared", WaiterConfig={"Delay": 0.1, "MaxAttempts": 600})
    pipeline.create(stage("Test", stack("Prepared")))
    assert pipeline.started_by(repository.push(t__json=template("one", Broken=BROKEN)))["status"] == "Failed"
    (described,) = cloudformation.describe_stacks(StackName="Prepared")["Stacks"]
    assert described["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    assert outputs(client, "Prepared") == {"Title": "placeholder"}
    assert pipeline.started_by(repository.push(t__json=template("two")))["status"] == "Succeeded"
    assert outputs(client, "Prepared") == {"Title": "two"}


@pytest.mark.slow
def test_an_execution_without_changes_succeeds(pipeline: Pipeline, repository: Repository) -> None:
    change_set = {"ChangeSetName": "release"}
    plan = stack("Planned", 2, "CHANGE_SET_REPLACE", **change_set)
    execute = stack("Execute", 3, "CHANGE_SET_EXECUTE", **change_set)
    del execute["configuration"]["TemplatePath"]
    execute["configuration"]["StackName"] = "Planned"
    pipeline.create(stage("Test", stack("Unchanged"), plan, execute))
    for _ in range(2):
        done = pipeline.started_by(repository.push(t__json=template("same")))
        assert done["status"] == "Succeeded", pipeline.action("Execute")
    assert pipeline.action("Unchanged")["summary"] == "No updates are to be performed."
    assert "didn't contain changes" in pipeline.action("Execute")["summary"]
    seconds = (done["lastUpdateTime"] - done["startTime"]).total_seconds()
    assert seconds < 10


def test_a_template_configuration_is_applied(pipeline: Pipeline, repository: Repository, client: Client) -> None:
    parameters = {name: {"Type": "String", "Default": "default"} for name in ("A", "B", "C")}
    values = {name: {"Value": {"Ref": name}} for name in parameters}
    body = json.loads(template("one")) | {"Parameters": parameters, "Outputs": values}
    configuration = {"Parameters": {"A": "file", "B": "file"}, "Tags": {"team": "shop"}}
    given = {"TemplateConfiguration": "Source::c.json", "ParameterOverrides": json.dumps({"B": "override"})}
    pipeline.create(stage("Test", stack("Configured", **given)))
    repository.push(t__json=json.dumps(body), c__json=json.dumps(configuration))
    pipeline.wait_for("Configured", "Succeeded")
    assert outputs(client, "Configured") == {"A": "file", "B": "override", "C": "default"}
    (described,) = client("cloudformation").describe_stacks(StackName="Configured")["Stacks"]
    assert described["Tags"] == [{"Key": "team", "Value": "shop"}]


@pytest.mark.slow
def test_an_execution_is_started_once_for_a_token_and_with_a_commit(
    pipeline: Pipeline, repository: Repository, client: Client
) -> None:
    pipeline.create(stage("Test", stack("Chosen")))
    commit = repository.push(t__json=template("chosen"))
    pipeline.started_by(commit)
    newer = repository.push(t__json=template("newer"))
    pipeline.started_by(newer)
    chosen = {"actionName": "Source", "revisionType": "COMMIT_ID", "revisionValue": commit}
    ids = {
        pipeline.api.start_pipeline_execution(
            name=pipeline.name, sourceRevisions=[chosen], clientRequestToken="00000000-0000-0000-0000-000000000001"
        )["pipelineExecutionId"]
        for _ in range(2)
    }
    assert len(ids) == 1
    eventually(lambda: pipeline.executions()[0]["status"] in ENDED)
    started = pipeline.executions()[0]
    assert started["pipelineExecutionId"] in ids
    assert [one["revisionId"] for one in started["sourceRevisions"]] == [commit]
    assert outputs(client, "Chosen") == {"Title": "chosen"}
    with pytest.raises(ClientError, match="not rehearsed: revisions of type S3_OBJECT_KEY"):
        pipeline.api.start_pipeline_execution(
            name=pipeline.name, sourceRevisions=[chosen | {"revisionType": "S3_OBJECT_KEY"}]
        )


def test_other_overrides_are_not_rehearsed(pipeline: Pipeline, repository: Repository) -> None:
    given = json.dumps({"A": {"Fn::GetParam": ["Source", "p.json", "A"]}})
    pipeline.create(stage("Test", stack("Overridden", ParameterOverrides=given)))
    assert pipeline.started_by(repository.push(t__json=template("one")))["status"] == "Failed"
    message = pipeline.action("Overridden")["errorDetails"]["message"]
    assert message == "not rehearsed: Fn::GetParam in ParameterOverrides of A"


def test_a_stack_is_deleted(pipeline: Pipeline, repository: Repository, client: Client) -> None:
    delete = stack("Doomed", 2, "DELETE_ONLY")
    delete["name"] = "Delete"
    del delete["configuration"]["TemplatePath"], delete["namespace"]
    pipeline.create(stage("Test", stack("Doomed"), delete))
    assert pipeline.started_by(repository.push(t__json=template("one")))["status"] == "Succeeded"
    with pytest.raises(client("cloudformation").exceptions.ClientError):
        client("cloudformation").describe_stacks(StackName="Doomed")


def test_a_failed_stage_is_retried_by_request(pipeline: Pipeline, repository: Repository, client: Client) -> None:
    pipeline.create(stage("Test", stack("First"), stack("Retried", 2, path="absent.json")))
    failed = pipeline.started_by(repository.push(t__json=template("one")))
    message = pipeline.action("Retried")["errorDetails"]["message"]
    assert (failed["status"], message) == ("Failed", "File [absent.json] does not exist in artifact [Source]")
    given = {"pipelineExecutionId": failed["pipelineExecutionId"], "stageName": "Test", "retryMode": "FAILED_ACTIONS"}
    pipeline.api.retry_stage_execution(pipelineName=pipeline.name, **given)
    eventually(lambda: len(attempts(pipeline, failed)) == 4)
    assert [one["actionName"] for one in attempts(pipeline, failed)] == ["Retried", "Retried", "First", "Source"]


def attempts(pipeline: Pipeline, execution: dict[str, Any]) -> list[dict[str, Any]]:
    wanted = {"pipelineExecutionId": execution["pipelineExecutionId"]}
    found: list[dict[str, Any]] = pipeline.api.list_action_executions(pipelineName=pipeline.name, filter=wanted)[
        "actionExecutionDetails"
    ]
    return found


def test_a_failed_stage_returns_to_its_last_good_version(
    pipeline: Pipeline, repository: Repository, client: Client
) -> None:
    pipeline.create(
        stage("Test", stack("Service"), stack("Check", 2, path="check.json"), onFailure={"result": "ROLLBACK"})
    )
    good = pipeline.started_by(repository.push(t__json=template("good"), check__json=template("check")))
    assert good["status"] == "Succeeded"
    bad = pipeline.started_by(repository.push(t__json=template("bad"), check__json="broken"))
    assert bad["status"] == "Failed"
    rollback = eventually(lambda: [one for one in pipeline.executions() if one["executionType"] == "ROLLBACK"])[0]
    assert rollback["trigger"]["triggerType"] == "AutomatedRollback"
    assert rollback["rollbackMetadata"]["rollbackTargetPipelineExecutionId"] == good["pipelineExecutionId"]
    eventually(lambda: pipeline.executions()[0]["status"] in ENDED)
    assert pipeline.executions()[0]["status"] == "Succeeded"
    assert outputs(client, "Service") == {"Title": "good"}


@pytest.mark.slow
def test_a_stage_is_rolled_back_by_request(pipeline: Pipeline, repository: Repository, client: Client) -> None:
    pipeline.create(stage("Test", stack("RolledBack")))
    first = pipeline.started_by(repository.push(t__json=template("one")))
    pipeline.started_by(repository.push(t__json=template("two")))
    assert outputs(client, "RolledBack") == {"Title": "two"}
    made = pipeline.api.rollback_stage(
        pipelineName=pipeline.name, stageName="Test", targetPipelineExecutionId=first["pipelineExecutionId"]
    )
    eventually(lambda: pipeline.executions()[0]["status"] in ENDED)
    assert pipeline.executions()[0]["pipelineExecutionId"] == made["pipelineExecutionId"]
    assert outputs(client, "RolledBack") == {"Title": "one"}


def test_an_execution_that_waits_for_approval_is_stopped(pipeline: Pipeline, repository: Repository) -> None:
    pipeline.create(stage("Prod", action("Approval", "Manual"), stack("NeverMade", 2)))
    repository.push(t__json=template("one"))
    pipeline.wait_for("Approval", "InProgress")
    (running,) = [one for one in pipeline.executions() if one["status"] == "InProgress"]
    given = {"pipelineExecutionId": running["pipelineExecutionId"], "reason": "not today"}
    pipeline.api.stop_pipeline_execution(pipelineName=pipeline.name, abandon=True, **given)
    assert pipeline.executions()[0]["status"] == "Stopped"
    assert pipeline.executions()[0]["stopTrigger"] == {"reason": "not today"}
    assert pipeline.action("Approval")["status"] == "Abandoned"


def test_a_rejection_fails_the_execution(pipeline: Pipeline, repository: Repository) -> None:
    pipeline.create(stage("Prod", action("Approval", "Manual"), stack("NeverMadeEither", 2)))
    commit = repository.push(t__json=template("one"))
    pipeline.answer("Rejected")
    assert pipeline.started_by(commit)["status"] == "Failed"


def test_a_closed_transition_keeps_an_execution_waiting(pipeline: Pipeline, repository: Repository) -> None:
    pipeline.create(stage("Test", stack("Later")))
    given = {"pipelineName": pipeline.name, "stageName": "Test", "transitionType": "Inbound"}
    pipeline.api.disable_stage_transition(**given, reason="a freeze")
    commit = repository.push(t__json=template("one"))
    inbound = lambda: pipeline.api.get_pipeline_state(name=pipeline.name)["stageStates"][1]  # noqa: E731
    eventually(lambda: inbound()["inboundExecutions"])
    assert [one["status"] for one in inbound()["inboundExecutions"]] == ["InProgress"]
    assert inbound()["inboundTransitionState"]["disabledReason"] == "a freeze"
    pipeline.api.enable_stage_transition(**given)
    assert pipeline.started_by(commit)["status"] == "Succeeded"


@pytest.mark.slow
def test_a_pipeline_that_updates_itself_starts_again(
    pipeline: Pipeline, repository: Repository, client: Client
) -> None:
    """The stack of the pipeline is updated by its own first stage."""

    def own_template(*stages: dict[str, Any]) -> str:
        upper = json.loads(json.dumps(pipeline.declaration(*stages)), object_pairs_hook=_upper)
        properties = upper | {"RestartExecutionOnUpdate": True}
        resource = {"Type": "AWS::CodePipeline::Pipeline", "Properties": properties}
        return json.dumps({"Resources": {"Pipeline": resource}})

    myself, more = stack("Myself"), stack("More", path="more.json")
    first = own_template(stage("Self", myself))
    repository.push(t__json=first, more__json=template("more"))
    client("cloudformation").create_stack(StackName="Myself", TemplateBody=first)
    eventually(lambda: pipeline.executions()[0]["status"] in ENDED)
    assert pipeline.executions()[0]["status"] == "Succeeded"

    commit = repository.push(t__json=own_template(stage("Self", myself), stage("Next", more)))
    pipeline.api.start_pipeline_execution(name=pipeline.name)
    eventually(lambda: len(pipeline.executions()) == 3 and pipeline.executions()[0]["status"] in ENDED)
    statuses = [one["status"] for one in pipeline.executions()]
    assert statuses == ["Succeeded", "Cancelled", "Succeeded"]
    assert pipeline.executions()[0]["sourceRevisions"][0]["revisionId"] == commit
    assert pipeline.action("More")["status"] == "Succeeded"


def _upper(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Names as templates write them. The keys of configurations start with a capital letter already."""
    return {key[0].upper() + key[1:]: value for key, value in pairs}


def subscribed(client: Client, name: str) -> tuple[str, Callable[[], list[Any]]]:
    """A topic, and a function that receives its messages from a queue."""
    topic: str = client("sns").create_topic(Name=name)["TopicArn"]
    queue = client("sqs").create_queue(QueueName=name)["QueueUrl"]
    arn = client("sqs").get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    client("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn, Attributes={"RawMessageDelivery": "true"})
    return topic, lambda: client("sqs").receive_message(QueueUrl=queue).get("Messages", [])


def test_an_approval_notifies_its_topic(pipeline: Pipeline, repository: Repository, client: Client) -> None:
    topic, received = subscribed(client, "approvals")
    pipeline.create(stage("Prod", action("Approval", "Manual", NotificationArn=topic, CustomData="Look closely")))
    repository.push(t__json=template("one"))
    (message,) = eventually(received)
    approval = json.loads(message["Body"])["approval"]
    assert (approval["customData"], approval["stageName"]) == ("Look closely", "Prod")
    result = {"summary": "", "status": "Approved"}
    given = {"stageName": "Prod", "actionName": "Approval", "token": approval["token"], "result": result}
    pipeline.api.put_approval_result(pipelineName=pipeline.name, **given)
    pipeline.wait_for("Approval", "Succeeded")


def test_state_changes_reach_a_queue_through_rules_and_topics(
    pipeline: Pipeline, repository: Repository, client: Client
) -> None:
    topic, received = subscribed(client, "news")
    pattern = {
        "source": ["aws.codepipeline"],
        "detail-type": ["CodePipeline Action Execution State Change"],
        "detail": {"pipeline": [pipeline.name], "state": ["STARTED"], "type": {"category": ["Approval"]}},
    }
    transformer = {"InputPathsMap": {"stage": "$.detail.stage"}, "InputTemplate": '"waits in <stage>"'}
    client("events").put_rule(Name="news", EventPattern=json.dumps(pattern))
    client("events").put_targets(Rule="news", Targets=[{"Id": "t", "Arn": topic, "InputTransformer": transformer}])
    pipeline.create(stage("Prod", action("Approval", "Manual")))
    repository.push(t__json=template("one"))

    assert [json.loads(one["Body"]) for one in eventually(received)] == ["waits in Prod"]
    with GET(f"{pipeline.api.meta.endpoint_url}/_local/messages", timeout=60) as answer:
        kept = [one["message"] for one in json.load(answer)["messages"] if one["topic"] == topic]
    assert kept == ['"waits in Prod"']
    pipeline.answer()


@pytest.mark.parametrize(
    ("value", "status"), [("#{SourceVariables.BranchName}", "Succeeded"), ("other", "Failed")], ids=["met", "unmet"]
)
def test_a_variable_is_checked_before_a_stage(
    pipeline: Pipeline, repository: Repository, value: str, status: str
) -> None:
    rule_type = {"category": "Rule", "owner": "AWS", "provider": "VariableCheck", "version": "1"}
    given = {"Variable": value, "Value": "main", "Operator": "EQ"}
    rules = [{"name": "Check", "ruleTypeId": rule_type, "configuration": given}]
    entry = {"conditions": [{"result": "FAIL", "rules": rules}]}
    pipeline.create(stage("Test", stack("Checked"), beforeEntry=entry))
    assert pipeline.started_by(repository.push(t__json=template("one")))["status"] == status
    found = pipeline.api.list_rule_executions(pipelineName=pipeline.name)["ruleExecutionDetails"]
    assert [one["status"] for one in found] == [status]


def test_an_alarm_is_checked_after_a_stage(pipeline: Pipeline, repository: Repository, client: Client) -> None:
    """With the role of the rule, or without one with that of the pipeline."""
    rule_type = {"category": "Rule", "owner": "AWS", "provider": "CloudWatchAlarm", "version": "1"}
    denied = {"Effect": "Deny", "Action": "cloudwatch:*", "Resource": "*"}
    roles = {"Watched": {}, "Denied": {"roleArn": create_role(client("iam"), "watcher", denied)}}
    client("cloudwatch").put_metric_alarm(
        AlarmName="drill", Namespace="Shop", MetricName="Orders", Statistic="Sum", Period=60, EvaluationPeriods=1,
        ComparisonOperator="LessThanThreshold", Threshold=1, TreatMissingData="breaching",
    )  # fmt: skip
    client("cloudwatch").set_alarm_state(AlarmName="drill", StateValue="ALARM", StateReason="A drill")
    rules = [
        {"name": name, "ruleTypeId": rule_type, "configuration": {"AlarmName": "drill"}} | role
        for name, role in roles.items()
    ]
    success = {"conditions": [{"result": "FAIL", "rules": rules}]}
    pipeline.create(stage("Test", stack("Alarmed"), onSuccess=success))
    assert pipeline.started_by(repository.push(t__json=template("one")))["status"] == "Failed"
    found = pipeline.api.list_rule_executions(pipelineName=pipeline.name)["ruleExecutionDetails"]
    summaries = {one["ruleName"]: one["output"]["executionResult"]["externalExecutionSummary"] for one in found}
    assert summaries["Watched"] == "The alarm drill is in the state ALARM"
    assert "is not authorized to perform: cloudwatch:DescribeAlarms" in summaries["Denied"]


def test_an_unknown_provider_is_not_rehearsed(pipeline: Pipeline, repository: Repository) -> None:
    pipeline.create(stage("Test", action("Deploy", "ElasticBeanstalk")))
    pipeline.started_by(repository.push(t__json=""))
    message = pipeline.action("Deploy")["errorDetails"]["message"]
    assert message == "not rehearsed: the provider ElasticBeanstalk"


@pytest.mark.slow
def test_no_thread_keeps_local_aws_from_ending(tmp_path: Path) -> None:
    """An approval waits when local AWS ends."""
    with running_local_aws(REGION, runs=True) as aws:
        session = boto3.session.Session(ACCESS_KEY, SECRET_KEY)

        @functools.cache
        def client(service: str) -> Any:
            return session.client(service, REGION, endpoint_url=aws.variables["AWS_ENDPOINT_URL"])

        client("s3").create_bucket(Bucket=BUCKET)
        create_roles(client("iam"), "pipeline")
        made = Repository.create("ends", aws.variables, client, tmp_path)
        pipeline = Pipeline("ends", client)
        pipeline.create(stage("Prod", action("Approval", "Manual")))
        made.push(t__json="{}")
        pipeline.wait_for("Approval", "InProgress")
        leaving = time.monotonic()
    assert (aws.process.returncode, time.monotonic() - leaving < 5) == (0, True)
