"""What people are told of releases: samples of user guides, played through the rules of the template.

The samples, and the states that the guide lists without one, are those of the page "Monitoring CodePipeline events" of
CodePipeline's user guide, and of "Amazon ECS service deployment state change events" of ECS's developer guide.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest

from scaffold.engine.metrics.alarms import judge
from scaffold.iam.policies import as_list
from scaffold.local.environment import local_aws
from tests.infrastructure.rules import every
from tests.infrastructure.stacks import ACCOUNT, Stacks, one
from tests.infrastructure.variants import ALL_ANSWERS

APP, EXECUTION = "hello-service", "12345678-1234-5678-abcd-12345678abcd"
CONSOLE = "https://us-east-1.console.aws.amazon.com/codesuite/codepipeline/pipelines"
LINK = f"{CONSOLE}/{APP}/executions/{EXECUTION}/timeline?region=us-east-1"
FAILED = {
    "external-execution-url": "https://us-west-2.console.aws.amazon.com/codedeploy/home?#/deployments/<ID>",
    "external-execution-summary": "Deployment <ID> failed",
    "external-execution-id": "<ID>",
    "error-code": "JobFailed",
}
CLUSTER = f"arn:aws:ecs:us-east-1:{ACCOUNT}:cluster/{APP}-prod"
REASON = "ECS deployment circuit breaker: task failed to start."
QUOTED = 'Error while executing command: python3 "config/scripts/$CHECK.py". Reason: exit status 1'
DEPLOY = {"owner": "AWS", "category": "Deploy", "provider": "CodeDeploy", "version": "1"}
APPROVAL = {"owner": "AWS", "category": "Approval", "provider": "Manual", "version": "1"}


def of_pipeline(state: str, **detail: Any) -> dict[str, Any]:
    return event("Pipeline", state, detail)


def of_stage(state: str, stage: str) -> dict[str, Any]:
    return event("Stage", state, {"stage": stage})


def of_action(state: str, stage: str, action: str, kind: dict[str, str], **result: str) -> dict[str, Any]:
    identifier = "47f821c5-a902-44b2-ae61-b878d31ecd21"
    detail = {"stage": stage, "action": action, "action-execution-id": identifier, "region": "us-west-2", "type": kind}
    return event("Action", state, detail | ({"execution-result": result} if result else {}))


def of_deployment(name: str, service: str = f"{APP}-prod") -> dict[str, Any]:
    return {
        "detail-type": "ECS Deployment State Change",
        "source": "aws.ecs",
        "resources": [f"arn:aws:ecs:us-east-1:{ACCOUNT}:service/{service}/{service}"],
        "detail": {
            "eventType": "ERROR",
            "eventName": name,
            "clusterArn": CLUSTER,
            "deploymentId": "ecs-svc/123",
            "updatedAt": "2020-05-23T11:11:11Z",
            "reason": REASON,
        },
    }


def event(subject: str, state: str, detail: dict[str, Any]) -> dict[str, Any]:
    """An event as EventBridge delivers it."""
    return {
        "version": "0",
        "id": "01234567-EXAMPLE",
        "detail-type": f"CodePipeline {subject} Execution State Change",
        "source": "aws.codepipeline",
        "account": "123456789012",
        "time": "2020-01-24T22:02:20Z",
        "region": "us-west-2",
        "resources": [f"arn:aws:codepipeline:us-west-2:123456789012:{APP}"],
        "detail": {
            "pipeline": APP,
            "execution-id": EXECUTION,
            "start-time": "2023-10-26T13:49:39.208Z",
            "state": state,
            "version": 3.0,
            "pipeline-execution-attempt": 1.0,
            **detail,
        },
    }


TOLD = {
    "failed": (
        of_action("FAILED", "Deploy", "Deploy", DEPLOY, **FAILED),
        f"the release {EXECUTION} failed in the action Deploy of the stage Deploy. JobFailed Deployment <ID> failed"
        f" {LINK}",
    ),
    "failed, with quotes": (
        of_action(
            "FAILED", "Dev", "Tests", DEPLOY, **{"external-execution-summary": QUOTED, "error-code": "JobFailed"}
        ),
        f"the release {EXECUTION} failed in the action Tests of the stage Dev. JobFailed {QUOTED} {LINK}",
    ),
    "failed, after its automatic retry": (
        of_stage("FAILED", "SelfUpdate"),
        f"the release {EXECUTION} failed in the stage SelfUpdate. {LINK}",
    ),
    "rejected": (
        of_action("FAILED", "Approve-Prod", "Approval", APPROVAL, **{"external-execution-summary": "Not on a Friday"}),
        f"the release {EXECUTION} was rejected in the stage Approve-Prod, or not in time. Not on a Friday {LINK}",
    ),
    "stopping": (
        of_pipeline("STOPPING", **{"stop-execution-comments": "Stopping the pipeline for an update"}),
        f"the release {EXECUTION} is STOPPING. Stopping the pipeline for an update {LINK}",
    ),
    "superseded": (of_pipeline("SUPERSEDED"), f"the release {EXECUTION} is SUPERSEDED. {LINK}"),
    "cancelled in an environment": (
        of_stage("CANCELED", "Prod"),
        f"an update of the pipeline cancelled the release {EXECUTION} in the stage Prod. A deployment that had started "
        f"there goes on; the newest commit is released from the start. {LINK}",
    ),
    "waits": (
        of_action("STARTED", "Approve-Gate", "Approval", APPROVAL),
        "a release waits for approval in the stage Approve-Gate, since it changes how releases are made. "
        f"{CONSOLE}/{APP}/view?region=us-east-1",
    ),
    "rolled back": (
        of_pipeline("STARTED", **{"execution-trigger": {"trigger-type": "AutomatedRollback", "trigger-detail": "x"}}),
        f"the execution {EXECUTION} rolls a stage back to its last successful release (AutomatedRollback). {LINK}",
    ),
    "taken back": (
        of_deployment("SERVICE_DEPLOYMENT_FAILED"),
        f"ECS has taken the deployment ecs-svc/123 back, in the cluster {CLUSTER}. {REASON}",
    ),
    "succeeded": (
        of_stage("SUCCEEDED", "Prod"),
        f"the release {EXECUTION} has succeeded in the stage Prod. {LINK}",
    ),
}
FREE = (QUOTED, REASON, "Deployment <ID> failed", "Not on a Friday", "Stopping the pipeline for an update")
TRIGGER = {
    "trigger-type": "StartPipelineExecution",
    "trigger-detail": "arn:aws:sts::123456789012:assumed-role/Admin/my",
}
NOT_TOLD = {
    "started": of_pipeline("STARTED", **{"execution-trigger": TRIGGER}),
    "succeeded": of_pipeline("SUCCEEDED"),
    "resumed": of_stage("RESUMED", "Build"),
    "an action succeeded": of_action("SUCCEEDED", "Source", "Source", DEPLOY),
    "approved": of_action("SUCCEEDED", "Approve-Prod", "Approval", APPROVAL),
    "the failed action says it": of_pipeline("FAILED"),
    "and not its stage": of_stage("FAILED", "Deploy"),
    "it is retried": of_action("FAILED", "SelfUpdate", "Pipeline", DEPLOY, **FAILED),
    "the stopping execution says it": of_pipeline("STOPPED"),
    "its stage too": of_stage("STOPPED", "Prod"),
    "its action too": of_action("ABANDONED", "Prod", "Deploy", DEPLOY),
    "the pipeline has updated itself": of_stage("CANCELED", "SelfUpdate"),
    "and its execution": of_pipeline("CANCELED"),
    "before an environment": of_stage("CANCELED", "Build"),
    "the plan has told it": of_action("STARTED", "Approve-Prod", "Approval", APPROVAL),
    "not asked for": of_stage("SUCCEEDED", "Dev"),
    "a deployment goes on": of_deployment("SERVICE_DEPLOYMENT_IN_PROGRESS"),
    "a deployment has ended": of_deployment("SERVICE_DEPLOYMENT_COMPLETED"),
    "the service of another": of_deployment("SERVICE_DEPLOYMENT_FAILED", f"{APP}-two-prod"),
    "another pipeline": {
        **of_pipeline("STOPPING"),
        "detail": {**of_pipeline("STOPPING")["detail"], "pipeline": "other"},
    },
}


# With everything that is told in chat, and of successes.
ALL = {"customize": True, "chat_notifications": True, "success_notifications": "production"}
People = tuple[Any, Callable[[str], list[str]]]


def topics_of(stacks: Stacks) -> dict[str, str]:
    """The topics of e-mail and chat, by the ids of the targets that publish to them."""
    found = {"notification": one(stacks, "foundation").outputs["NotificationTopicArn"]}
    for _ in one(stacks, "events").of_type("AWS::SNS::Topic"):
        found["chat"] = found["notification"].replace("-notifications", "-chat")
    return found


@pytest.fixture(scope="module")
def people(stacks_of: Callable[..., Stacks]) -> Iterator[People]:
    """EventBridge with the rules of the template, and what subscribers of the topics receive."""
    with local_aws() as variables:
        keys = {name: variables[name.upper()] for name in ("aws_access_key_id", "aws_secret_access_key")}
        session = boto3.session.Session(**keys, region_name="us-east-1")

        def client(service: str) -> Any:
            return session.client(service, endpoint_url=variables["AWS_ENDPOINT_URL"])

        stacks = stacks_of(**ALL)
        local = {}
        for name, arn in topics_of(stacks).items():
            local[arn] = client("sns").create_topic(Name=name)["TopicArn"]
            client("sqs").create_queue(QueueName=name)
            client("sns").subscribe(
                TopicArn=local[arn],
                Protocol="sqs",
                Endpoint=f"arn:aws:sqs:us-east-1:000000000000:{name}",
                Attributes={"RawMessageDelivery": "true"},
            )
        events = client("events")
        for _, logical, rule in every(stacks, "AWS::Events::Rule"):
            targets = [{**target, "Arn": local[target["Arn"]]} for target in rule["Targets"] if target["Arn"] in local]
            if targets:
                assert rule["EventPattern"]["source"][0] in ("aws.codepipeline", "aws.ecs")
                # EventBridge accepts events of AWS's own sources from AWS only.
                events.put_rule(Name=logical, EventPattern=json.dumps(rule["EventPattern"] | {"source": ["samples"]}))
                events.put_targets(Rule=logical, Targets=targets)

        def received(name: str) -> list[str]:
            queue = client("sqs").get_queue_url(QueueName=name)["QueueUrl"]
            found = client("sqs").receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages", [])
            for message in found:
                client("sqs").delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
            return [str(message["Body"]) for message in found]

        yield events, received


def test_people_are_told_what_matters_and_nothing_else(people: People) -> None:
    events, received = people
    last = "the last one", of_action("FAILED", "Last", "Last", DEPLOY, **FAILED)
    for _, sample in (*NOT_TOLD.items(), *((what, sample) for what, (sample, _) in TOLD.items()), last):
        entry = {
            "Source": "samples",
            "DetailType": sample["detail-type"],
            "Resources": sample.get("resources", []),
            "Detail": json.dumps(sample["detail"]),
        }
        assert events.put_events(Entries=[entry])["FailedEntryCount"] == 0

    def told(name: str, text: Callable[[str], str]) -> list[str]:
        messages: list[str] = []
        end = time.monotonic() + 60
        while not any("of the stage Last." in message for message in messages):
            assert time.monotonic() < end, messages
            messages += received(name)
        # A field that an event lacks leaves a space.
        found = [" ".join(text(message).split()) for message in messages]
        return sorted(message for message in found if "stage Last" not in message)

    expected = [f"{APP}: {message}" for _, message in TOLD.values()]
    # A JSON string, but for the quotes within, which local AWS does not escape.
    assert told("notification", lambda message: message.strip('"')) == sorted(expected)
    schema = re.compile(
        r'\{"version": "1.0", "source": "custom", "content": \{"title": "[\w ]+", "description": "(.*)"\} \}'
    )

    def description(message: str) -> str:
        found = schema.fullmatch(message)
        assert found is not None, message
        json.loads(message)
        return found[1]

    # A document of chat has no free text, whose quotation marks would break it.
    free = re.compile("|".join(re.escape(f" {text}") for text in FREE))
    assert told("chat", description) == sorted(free.sub("", message) for message in expected)


@pytest.mark.parametrize("answers", [{}, ALL], ids=["default", "chat and successes"])
def test_every_message_is_a_text_made_of_fields_of_its_events(
    stacks_of: Callable[..., Stacks], answers: dict[str, Any]
) -> None:
    stacks = stacks_of(**answers)
    topics = topics_of(stacks)
    assert list(topics) == (["notification", "chat"] if answers else ["notification"])
    samples = [sample for sample, _ in TOLD.values()]
    notified = {}
    for _, logical, rule in every(stacks, "AWS::Events::Rule"):
        targets = {target["Id"]: target for target in rule["Targets"]}
        if list(targets) != ["notification", "chat"][: len(targets)]:
            assert not set(topics.values()) & {target["Arn"] for target in targets.values()}
            continue
        assert {name: target["Arn"] for name, target in targets.items()} == topics, logical
        detail = rule["EventPattern"]["detail"]
        notified[logical] = detail.get("state", detail.get("eventName"))
        said = set()
        for name, target in targets.items():
            template, paths = (target["InputTransformer"][key] for key in ("InputTemplate", "InputPathsMap"))
            document = json.loads(template)
            if name == "chat":
                assert (document.pop("version"), document.pop("source")) == ("1.0", "custom")
                content = document.pop("content")
                assert (document, set(content)) == ({}, {"title", "description"})
                document = content["description"]
            assert isinstance(document, str)
            assert name == "notification" or "reason" not in paths
            said.add(document if name == "chat" else document.replace(" <reason>", ""))
            for field, path in paths.items():
                assert f"<{field}>" in document
                assert any(at(path, sample) is not None for sample in samples), path
            assert set(re.findall(r"<(\w+)>", document)) == set(paths)
        assert len(said) == 1
    assert notified == {
        "ApprovalRule": ["STARTED"],
        "CancellationRule": ["CANCELED"],
        "DeploymentRule": ["SERVICE_DEPLOYMENT_FAILED"],
        "FailureRule": ["FAILED"],
        "RejectionRule": ["FAILED"],
        "RollbackRule": ["STARTED"],
        "SelfUpdateFailureRule": ["FAILED"],
        "StopRule": ["STOPPING", "SUPERSEDED"],
        **({"SuccessRule": ["SUCCEEDED"]} if answers else {}),
    }
    for _, _, alarm in every(stacks, "AWS::CloudWatch::Alarm"):
        assert as_list(alarm["AlarmActions"]) == [topics["notification"]]


@pytest.mark.parametrize(
    ("asked", "stages"), [("none", []), ("production", ["Uat", "Live"]), ("every", ["Test", "Uat", "Live"])]
)
def test_people_are_told_of_the_successes_that_they_ask_for(
    stacks_of: Callable[..., Stacks], asked: str, stages: list[str]
) -> None:
    answers = {"environments": "test,uat,live", "production": "uat", "customize": True}
    rules = dict(one(stacks_of(**answers, success_notifications=asked), "events").of_type("AWS::Events::Rule"))
    found = rules["SuccessRule"]["EventPattern"]["detail"]["stage"] if "SuccessRule" in rules else []
    assert found == stages


def test_people_are_told_of_releases_whose_tasks_run_and_wait(stacks_of: Callable[..., Stacks]) -> None:
    stacks = stacks_of(environments="dev,live", deployment_strategy="canary", approve_running=True)
    rule = dict(one(stacks, "events").of_type("AWS::Events::Rule"))["PauseRule"]
    pattern, (target,) = rule["EventPattern"], rule["Targets"]
    kinds = ("service", "service-deployment")
    prefixes = [{"prefix": f"arn:aws:ecs:us-east-1:{ACCOUNT}:{kind}/{APP}-live/"} for kind in kinds]
    assert (pattern["resources"], pattern["detail"]) == (prefixes, {"eventName": ["HOOK_AWAITING_ACTION"]})
    template, paths = (target["InputTransformer"][key] for key in ("InputTemplate", "InputPathsMap"))
    assert (target["Arn"], paths) == (topics_of(stacks)["notification"], {"time": "$.time"})
    assert "scaffold approve or scaffold reject" in json.loads(template)
    assert "PauseRule" not in dict(one(stacks_of(), "events").of_type("AWS::Events::Rule"))


def test_chat_messages_can_be_published_by_eventbridge_only(stacks_of: Callable[..., Stacks]) -> None:
    stacks = stacks_of(**ALL)
    events = one(stacks, "events")
    ((_, topic),), ((_, policy),) = events.of_type("AWS::SNS::Topic"), events.of_type("AWS::SNS::TopicPolicy")
    arn = topics_of(stacks)["chat"]
    assert topic["TopicName"] == arn.rpartition(":")[2]
    (statement,) = policy["PolicyDocument"]["Statement"]
    assert (statement["Principal"], statement["Action"]) == ({"Service": "events.amazonaws.com"}, "sns:Publish")
    assert policy["Topics"] == [statement["Resource"]] == [arn]
    # The key lets EventBridge encrypt for this topic too, and for no other.
    ((_, key),) = one(stacks, "foundation").of_type("AWS::KMS::Key")
    publishers = [each for each in key["KeyPolicy"]["Statement"] if each["Sid"] == "Publishers"]
    (encrypted,) = publishers[0]["Condition"]["StringEquals"].values()
    assert encrypted == list(topics_of(stacks).values())
    assert topic["KmsMasterKeyId"] == one(stacks, "foundation").outputs["ArtifactKeyArn"]


def test_a_nightly_scan_and_its_failure_are_told_in_chat_too(stacks_of: Callable[..., Stacks]) -> None:
    stacks = stacks_of(**ALL_ANSWERS)
    topics, scans = topics_of(stacks), one(stacks, "scans")
    assert list(topics) == ["notification", "chat"]
    rule = next(rule for logical, rule in scans.of_type("AWS::Events::Rule") if logical == "FailureRule")
    assert {target["Id"]: target["Arn"] for target in rule["Targets"]} == topics
    mail, chat = (json.loads(target["InputTransformer"]["InputTemplate"]) for target in rule["Targets"])
    assert chat == {"version": "1.0", "source": "custom", "content": {"title": "Scan failed", "description": mail}}
    ((_, project),) = scans.of_type("AWS::CodeBuild::Project")
    given = {item["Name"]: item["Value"] for item in project["Environment"]["EnvironmentVariables"]}
    assert [given["NOTIFICATION_TOPIC"], given["CHAT_TOPIC"]] == list(topics.values())
    role = next(role for logical, role in scans.of_type("AWS::IAM::Role") if logical == "ScanRole")
    (policy,) = role["Policies"]
    statements = {each["Sid"]: each for each in policy["PolicyDocument"]["Statement"]}
    assert statements["Tell"]["Resource"] == list(topics.values())
    (encrypted,) = statements["Key"]["Condition"]["StringEquals"].values()
    assert encrypted == list(topics.values())


def test_a_build_outside_of_the_pipeline_that_fails_or_does_not_run_tells_people(
    stacks_of: Callable[..., Stacks],
) -> None:
    stacks = stacks_of()
    topic = topics_of(stacks)["notification"]
    alarms = {alarm["AlarmName"]: alarm for _, alarm in one(stacks, "events").of_type("AWS::CloudWatch::Alarm")}
    failed, missed = (alarms[f"{APP}-builds-{what}"] for what in ("failed", "missed"))

    def state(alarm: dict[str, Any], points: dict[int, float], now: int, before: str) -> str:
        return judge(alarm, points, now, before).state

    assert state(failed, {9: 1}, 9, "OK") == "ALARM"
    assert state(failed, {}, 9, "ALARM") == "OK"
    # In periods of six hours: a build each day is enough, and none in 30 hours is not.
    assert (int(missed["Period"]), missed["MetricName"]) == (21600, "Builds")
    assert [state(missed, {5: 1}, now, "OK") for now in range(5, 10)] == ["OK"] * 5
    assert state(missed, {}, 12, "OK") == "INSUFFICIENT_DATA"
    assert as_list(missed["InsufficientDataActions"]) == [topic]
    for alarm in (failed, missed):
        assert alarm["Dimensions"] == [{"Name": "ProjectName", "Value": f"{APP}-pr-verdict"}]


def test_each_scheduled_build_that_does_not_run_tells_people(stacks_of: Callable[..., Stacks]) -> None:
    """CodeBuild may refuse one, and EventBridge then tells nobody."""
    stacks = stacks_of(customize=True, promotion="branches", nightly_scan=True)
    projects = {
        stack.resolve({"Fn::GetAtt": [logical, "Arn"]}): project["Name"]
        for stack, logical, project in every(stacks, "AWS::CodeBuild::Project")
    }
    rules = [rule for _, _, rule in every(stacks, "AWS::Events::Rule") if "ScheduleExpression" in rule]
    scheduled = {projects[target["Arn"]] for rule in rules for target in rule["Targets"]}
    alarms = [
        alarm
        for _, _, alarm in every(stacks, "AWS::CloudWatch::Alarm")
        # Of a build whose failure nothing else tells, only a success counts.
        if alarm.get("MetricName") in ("Builds", "SucceededBuilds")
    ]
    missed = {alarm["Dimensions"][0]["Value"]: alarm for alarm in alarms}
    assert scheduled == missed.keys() == {f"{APP}-{name}" for name in ("pr-verdict", "branches", "scan", "drift")}
    topic = topics_of(stacks)["notification"]
    for alarm in missed.values():
        assert as_list(alarm["InsufficientDataActions"]) == [topic]
        assert [judge(alarm, {5: 1}, now, "OK").state for now in range(5, 10)] == ["OK"] * 5
        assert judge(alarm, {}, 12, "OK").state == "INSUFFICIENT_DATA"
    # The deploy role may delete those of answers that were turned off, too.
    policies = one(stacks_of(), "permissions").of_type("AWS::IAM::ManagedPolicy")
    statements = [each for _, policy in policies for each in policy["PolicyDocument"]["Statement"]]
    (allowed,) = [each["Resource"] for each in statements if "cloudwatch:DeleteAlarms" in each.get("Action", [])]
    assert {alarm["AlarmName"] for alarm in missed.values()} <= {arn.rpartition(":")[2] for arn in allowed}


def at(path: str, sample: Any) -> Any:
    """What a JSON path finds in an event."""
    for name in path.removeprefix("$.").split("."):
        sample = sample.get(name) if isinstance(sample, dict) else None
    return sample
