"""Pipelines that run on local AWS: pushed to with Git, and watched and steered with stock clients."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.engine.conftest import BUCKET, REGION, Client, Repository, eventually, name_of

ROLE = "arn:aws:iam::000000000000:role/pipeline"
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
        events.put_targets(Rule=self.name, Targets=[{"Id": "pipeline", "Arn": arn, "RoleArn": ROLE}])

    def declaration(self, *stages: dict[str, Any]) -> dict[str, Any]:
        source = action("Source", "CodeCommit", RepositoryName=self.name, BranchName="main", PollForSourceChanges="false")
        return {
            "name": self.name,
            "roleArn": ROLE,
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
        assert found.get("status") == status, [self.executions(), self.api.list_action_executions(pipelineName=self.name)["actionExecutionDetails"]]
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
