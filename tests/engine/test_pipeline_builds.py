"""A pipeline whose action is a build."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime, timedelta

import pytest

from tests.engine.conftest import REGION, Client, Repository, eventually
from tests.engine.test_pipeline_runs import Pipeline, action, pipeline, stage

__all__ = ["pipeline"]

BUILDSPEC = """version: 0.2
env:
  exported-variables: [GREETING]
phases:
  build:
    commands:
      - export GREETING="$(cat greeting.txt) from $CODEBUILD_INITIATOR at $CODEBUILD_RESOLVED_SOURCE_VERSION for $WHO"
"""


def create_project(client: Client, name: str) -> None:
    client("codebuild").create_project(
        name=name,
        source={"type": "CODEPIPELINE", "buildspec": "build.yml"},
        artifacts={"type": "CODEPIPELINE"},
        environment={"type": "LINUX_CONTAINER", "image": "a", "computeType": "BUILD_GENERAL1_SMALL"},
        serviceRole="arn:aws:iam::000000000000:role/builds",
    )


@pytest.mark.slow
def test_a_pipeline_builds_the_pushed_commit(pipeline: Pipeline, repository: Repository, client: Client) -> None:
    create_project(client, pipeline.name)
    variables = json.dumps([{"name": "WHO", "value": "#{SourceVariables.BranchName}"}])
    build = action("Build", "CodeBuild", ProjectName=pipeline.name, EnvironmentVariables=variables)
    pipeline.create(stage("Build", build))
    commit = repository.push("The first", build__yml=BUILDSPEC, greeting__txt="Hello")
    assert pipeline.started_by(commit)["status"] == "Succeeded"
    (identifier,) = client("codebuild").list_builds_for_project(projectName=pipeline.name)["ids"]
    (found,) = client("codebuild").batch_get_builds(ids=[identifier])["builds"]
    assert found["exportedEnvironmentVariables"] == [
        {"name": "GREETING", "value": f"Hello from codepipeline/{pipeline.name} at {commit} for main"}
    ]

    commit = repository.push("A failure", build__yml=BUILDSPEC.replace("export", "false && export"))
    assert pipeline.started_by(commit)["status"] == "Failed"


def test_a_build_is_told_to_eventbridge(client: Client) -> None:
    """A rule, a queue, and the start and the end of a build in it."""
    create_project(client, "told")
    queue = client("sqs").create_queue(QueueName="told")["QueueUrl"]
    topic = client("sns").create_topic(Name="told")["TopicArn"]
    arn = f"arn:aws:sqs:{REGION}:000000000000:told"
    client("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn, Attributes={"RawMessageDelivery": "true"})
    pattern = {"source": ["aws.codebuild"], "detail": {"project-name": ["told"]}}
    client("events").put_rule(Name="told", EventPattern=json.dumps(pattern))
    client("events").put_targets(Rule="told", Targets=[{"Id": "topic", "Arn": topic}])
    spec = "version: 0.2\nphases: {build: {commands: ['false']}}\n"
    override = {"sourceTypeOverride": "NO_SOURCE", "buildspecOverride": spec}
    build = client("codebuild").start_build(projectName="told", **override)["build"]
    messages: list[dict[str, object]] = []
    deadline = time.monotonic() + 60
    while len(messages) < 2:
        assert time.monotonic() < deadline, messages
        for one in client("sqs").receive_message(QueueUrl=queue, WaitTimeSeconds=1).get("Messages", []):
            client("sqs").delete_message(QueueUrl=queue, ReceiptHandle=one["ReceiptHandle"])
            messages.append(json.loads(one["Body"]))
    assert {one["detail-type"] for one in messages} == {"CodeBuild Build State Change"}
    details = {one["detail"]["build-status"]: one["detail"] for one in messages}  # type: ignore[index]
    assert set(details) == {"IN_PROGRESS", "FAILED"}
    assert details["FAILED"]["build-id"] == build["arn"]
    more = details["FAILED"]["additional-information"]
    assert more["source"] == {"type": "NO_SOURCE", "buildspec": spec}
    assert more["environment"] == {
        "image": "a",
        "privileged-mode": False,
        "compute-type": "BUILD_GENERAL1_SMALL",
        "type": "LINUX_CONTAINER",
        "environment-variables": [],
    }
    phases = more["phases"]
    failed = [phase for phase in phases if phase.get("phase-status") == "FAILED"]
    assert [phase["phase-type"] for phase in failed] == ["BUILD"]


def test_builds_are_counted_when_they_start_and_end(client: Client) -> None:
    create_project(client, "counted")
    for command in ("true", "false"):
        spec = f"version: 0.2\nphases: {{build: {{commands: ['{command}']}}}}\n"
        override = {"sourceTypeOverride": "NO_SOURCE", "buildspecOverride": spec}
        client("codebuild").start_build(projectName="counted", **override)
    now, wanted = datetime.now(UTC), {"Builds": 2.0, "SucceededBuilds": 1.0, "FailedBuilds": 1.0}

    def counts() -> dict[str, float]:
        found = {}
        for name in wanted:
            answer = client("cloudwatch").get_metric_statistics(
                Namespace="AWS/CodeBuild",
                MetricName=name,
                Dimensions=[{"Name": "ProjectName", "Value": "counted"}],
                StartTime=now - timedelta(hours=1),
                EndTime=now + timedelta(hours=1),
                Period=60,
                Statistics=["Sum"],
            )
            found[name] = sum(point["Sum"] for point in answer["Datapoints"])
        return found

    assert eventually(lambda: counts() == wanted)
