"""What people are told of releases and verdicts: samples of user guides, played through the rules of the template.

The samples, and the states that the guide lists without one, are those of the page "Monitoring CodePipeline events" of
CodePipeline's user guide, and of "Build notifications input format reference" of CodeBuild's.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest

from scaffold.iam.policies import as_list
from scaffold.local.environment import local_aws
from tests.infrastructure.rules import every
from tests.infrastructure.stacks import Stacks, one

APP, EXECUTION = "hello-service", "12345678-1234-5678-abcd-12345678abcd"
CONSOLE = "https://us-west-2.console.aws.amazon.com/codesuite/codepipeline/pipelines"
LINK = f"{CONSOLE}/{APP}/executions/{EXECUTION}/timeline?region=us-west-2"
FAILED = {
    "external-execution-url": "https://us-west-2.console.aws.amazon.com/codedeploy/home?#/deployments/<ID>",
    "external-execution-summary": "Deployment <ID> failed",
    "external-execution-id": "<ID>",
    "error-code": "JobFailed",
}
BUILD_LOG = "https://console.aws.amazon.com/cloudwatch/home?region=us-west-2#logEvent:group=null;stream=null"
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


def of_build(status: str, project: str) -> dict[str, Any]:
    logs = {"group-name": "/aws/codebuild/x", "stream-name": "x", "deep-link": BUILD_LOG}
    detail = {"build-status": status, "project-name": project, "additional-information": {"logs": logs}}
    return {"detail-type": "CodeBuild Build State Change", "source": "aws.codebuild", "detail": detail}


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
        f"the release {EXECUTION} was rejected in the stage Approve-Prod, or not approved in time. Not on a Friday"
        f" {LINK}",
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
    "a verdict failed": (
        of_build("FAILED", f"{APP}-pr-verdict"),
        f"the build {APP}-pr-verdict, without which no pull request is merged, ended with FAILED. {BUILD_LOG}",
    ),
    "waits": (
        of_action("STARTED", "Approve-Gate", "Approval", APPROVAL),
        f"a release waits for approval in the stage Approve-Gate. {CONSOLE}/{APP}/view?region=us-west-2",
    ),
}
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
    "a verdict was given": of_build("SUCCEEDED", f"{APP}-pr-verdict"),
    "a person stopped a verdict": of_build("STOPPED", f"{APP}-pr-verdict"),
    "tests of a pull request failed": of_build("FAILED", f"{APP}-pr-tests"),
    "another pipeline": {
        **of_pipeline("STOPPING"),
        "detail": {**of_pipeline("STOPPING")["detail"], "pipeline": "other"},
    },
}


@pytest.fixture(scope="module")
def people(stacks_of: Callable[..., Stacks]) -> Iterator[tuple[Any, Callable[[], list[str]]]]:
    """EventBridge with the rules of the template, and what a subscriber of the topic receives."""
    with local_aws() as variables:
        keys = {name: variables[name.upper()] for name in ("aws_access_key_id", "aws_secret_access_key")}
        session = boto3.session.Session(**keys, region_name="us-east-1")

        def client(service: str) -> Any:
            return session.client(service, endpoint_url=variables["AWS_ENDPOINT_URL"])

        topic = client("sns").create_topic(Name="people")["TopicArn"]
        queue = client("sqs").create_queue(QueueName="people")["QueueUrl"]
        raw = {"RawMessageDelivery": "true"}
        client("sns").subscribe(
            TopicArn=topic, Protocol="sqs", Endpoint="arn:aws:sqs:us-east-1:000000000000:people", Attributes=raw
        )
        events = client("events")
        notified = one(stacks_of(), "foundation").outputs["NotificationTopicArn"]
        for _, logical, rule in every(stacks_of(), "AWS::Events::Rule"):
            targets = [{**target, "Arn": topic} for target in rule["Targets"] if target["Arn"] == notified]
            if targets:
                assert rule["EventPattern"]["source"][0] in ("aws.codebuild", "aws.codepipeline")
                # EventBridge accepts events of AWS's own sources from AWS only.
                events.put_rule(Name=logical, EventPattern=json.dumps(rule["EventPattern"] | {"source": ["samples"]}))
                events.put_targets(Rule=logical, Targets=targets)

        def received() -> list[str]:
            found = client("sqs").receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages", [])
            for message in found:
                client("sqs").delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
            # A JSON string, but for the quotes within, which local AWS does not escape.
            return [str(message["Body"]).strip('"') for message in found]

        yield events, received


def test_people_are_told_what_matters_and_nothing_else(people: tuple[Any, Callable[[], list[str]]]) -> None:
    events, received = people
    last = "the last one", of_action("FAILED", "Last", "Last", DEPLOY, **FAILED)
    for _, sample in (*NOT_TOLD.items(), *((what, sample) for what, (sample, _) in TOLD.items()), last):
        entry = {
            "Source": "samples",
            "DetailType": sample["detail-type"],
            "Detail": json.dumps(sample["detail"]),
        }
        assert events.put_events(Entries=[entry])["FailedEntryCount"] == 0
    messages: list[str] = []
    end = time.monotonic() + 60
    while not any("of the stage Last." in message for message in messages):
        assert time.monotonic() < end, messages
        messages += received()
    # The events of local AWS have its own region. A field that an event lacks leaves a space.
    told = [" ".join(message.replace("us-east-1", "us-west-2").split()) for message in messages]
    told = [message for message in told if "stage Last" not in message]
    assert sorted(told) == sorted(f"{APP}: {message}" for _, message in TOLD.values())


def test_every_message_is_a_text_made_of_fields_of_its_events(stacks_of: Callable[..., Stacks]) -> None:
    stacks = stacks_of()
    topic = one(stacks, "foundation").outputs["NotificationTopicArn"]
    samples = [sample for sample, _ in TOLD.values()]
    notified = {}
    for _, logical, rule in every(stacks, "AWS::Events::Rule"):
        for target in (target for target in rule["Targets"] if target["Arn"] == topic):
            detail = rule["EventPattern"]["detail"]
            notified[logical] = detail.get("state", detail.get("build-status"))
            template, paths = (target["InputTransformer"][key] for key in ("InputTemplate", "InputPathsMap"))
            assert isinstance(json.loads(template), str)
            for name, path in paths.items():
                assert f"<{name}>" in template
                assert any(at(path, sample) is not None for sample in samples), path
    assert notified == {
        "ApprovalRule": ["STARTED"],
        "CancellationRule": ["CANCELED"],
        "FailureRule": ["FAILED"],
        "RejectionRule": ["FAILED"],
        "SelfUpdateFailureRule": ["FAILED"],
        "StopRule": ["STOPPING", "SUPERSEDED"],
        "VerdictFailureRule": ["FAILED", "FAULT", "TIMED_OUT"],
    }
    for _, _, alarm in every(stacks, "AWS::CloudWatch::Alarm"):
        assert as_list(alarm["AlarmActions"]) == [topic]


def at(path: str, sample: Any) -> Any:
    """What a JSON path finds in an event."""
    for name in path.removeprefix("$.").split("."):
        sample = sample.get(name) if isinstance(sample, dict) else None
    return sample
