"""Releases that fail after a good one, under traffic: where each one stops, in AWS's words, and what runs then."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from scaffold.core.git import git
from tests.engine.tasks.test_running import Client, constant_client, wait
from tests.release.kept import Kept, kept
from tests.release.rehearsals import APPLICATION, small_service

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

#: A minute of local AWS takes a second.
SPEED = "60"
ANSWERS: dict[str, Any] = {"environments": "dev,live", "bake_minutes": 8, "customize": True}
GOOD = APPLICATION.replace("{ version,", "{ change: 'good', version,")
#: Neither its health check nor the environment before production finds it.
WRONG_IN_LIVE = APPLICATION.replace(
    "{ version, environment }", "{ version, environment: environment.replace('live', 'elsewhere') }"
)
#: The deploy role may create the log groups of its environment only.
FOREIGN_LOG_GROUP = "Resources:\n  Foreign: {Type: AWS::Logs::LogGroup, Properties: {LogGroupName: /elsewhere}}\n"


class Releases:
    """Commits that are released after the same good one."""

    def __init__(self, service: Kept) -> None:
        self.service = service
        self.good = service.result["commit"]
        self.before = self.runs()
        (self.version, _) = self.before["live"]

    def runs(self) -> dict[str, tuple[str, str]]:
        """For each environment the version that answers, and the commit of its last release."""
        found = json.loads(self.service.scaffold("status", "--json"))["environments"]
        return {one["name"]: (one["answers"], one["commit"]) for one in found}

    def commit(self, path: str, change: Callable[[str], str], **files: str) -> str:
        """Commit a change of a file of the good commit, and other files."""
        git("checkout", "--quiet", self.good, "--", ".", cwd=self.service.clone)
        file = self.service.clone / path
        changed = change(file.read_text())
        assert changed != file.read_text()
        file.write_text(changed)
        return self.service.commit("bad", **files)

    def failed(self, commit: str) -> tuple[str, str, str]:
        """The stage and the action in which the only execution of a commit has failed, which was its last, and why."""
        pipeline, app = self.service.client("codepipeline"), self.service.app
        executions = pipeline.list_pipeline_executions(pipelineName=app)["pipelineExecutionSummaries"]
        (execution,) = [
            one["pipelineExecutionId"]
            for one in executions
            if commit in [revision["revisionId"] for revision in one["sourceRevisions"]]
        ]
        newest, *others = pipeline.list_action_executions(pipelineName=app, filter={"pipelineExecutionId": execution})[
            "actionExecutionDetails"
        ]
        assert {one["status"] for one in others} == {"Succeeded"}
        assert newest["status"] == "Failed"
        result = newest["output"]["executionResult"]
        return newest["stageName"], newest["actionName"], result["errorDetails"]["message"]

    def rolled_back(self) -> None:
        """Wait for the rollback of a stage, which has to be the newest execution."""
        pipeline, app = self.service.client("codepipeline"), self.service.app

        def newest() -> tuple[str, str]:
            found = pipeline.list_pipeline_executions(pipelineName=app, maxResults=1)["pipelineExecutionSummaries"][0]
            return found["executionType"], found["status"]

        wait(lambda: newest() in (("ROLLBACK", "Succeeded"), ("ROLLBACK", "Failed")), 300)
        assert newest() == ("ROLLBACK", "Succeeded")

    def stack(self, environment: str, kind: str) -> str:
        """The status of a stack."""
        name = f"{self.service.app}-{environment}-{kind}"
        (found,) = self.service.client("cloudformation").describe_stacks(StackName=name)["Stacks"]
        return str(found["StackStatus"])


def versions(client: Client) -> set[str]:
    return {json.loads(answer)["version"] for answer in client.answers}


def test_each_failed_release_stops_where_aws_stops_it_and_fails_no_request(tmp_path: Path) -> None:
    root = small_service(tmp_path / "orders", **ANSWERS)
    with kept(root, tmp_path, "--speed", SPEED) as service:
        releases = Releases(service)
        dev, live = (one["url"] for one in service.result["environments"])
        with constant_client(dev) as dev_client, constant_client(live) as live_client:
            check_export_in_use(releases)
            check_denied_permission(releases)
            changed = check_stack_that_cannot_update(releases)
            wrong = check_failing_smoke_test(releases)
        assert (dev_client.failures, live_client.failures) == ([], [])
        assert versions(dev_client) == versions(live_client) == {releases.version, changed, wrong}


def check_export_in_use(releases: Releases) -> None:
    why = check_failure_in_dev(releases, lambda text: text.replace("-ClusterName\n", "-NameOfCluster\n"))
    app = releases.service.app
    export = f"{app}-dev-environment-ClusterName"
    assert f"Cannot delete export {export} as it is in use by {app}-dev-alarms and {app}-dev-service" in why


def check_denied_permission(releases: Releases) -> None:
    why = check_failure_in_dev(releases, lambda text: text.replace("Resources:\n", FOREIGN_LOG_GROUP, 1))
    assert f"assumed-role/{releases.service.app}-dev-deploy/" in why
    assert "is not authorized to perform: logs:CreateLogGroup on resource: " in why


def check_failure_in_dev(releases: Releases, change: Callable[[str], str]) -> str:
    """Check a release whose first stage is rolled back, and which never enters production; return its failure."""
    commit = releases.commit("infrastructure/environment.yaml", change)
    process = releases.service.start("deploy", "--wait")
    output, errors = process.communicate()
    assert process.returncode == 1, (output, errors)
    stage, action, why = releases.failed(commit)
    assert (stage, action) == ("Dev", "Environment")
    releases.rolled_back()
    assert releases.stack("dev", "environment") == "UPDATE_ROLLBACK_COMPLETE"
    assert releases.runs() == releases.before
    return why


def check_stack_that_cannot_update(releases: Releases) -> str:
    """In production, after its service has got another version, which is returned."""
    commit = releases.commit("infrastructure/live/service.json", more_than_most, app__src__main_mjs=GOOD)
    releases.service.release(1)
    stage, action, why = releases.failed(commit)
    assert (stage, action) == ("Live", "Service")
    assert "Maximum capacity cannot be less than minimum capacity" in why
    assert releases.stack("live", "service") == "UPDATE_ROLLBACK_COMPLETE"
    runs = releases.runs()
    (version, released) = runs["dev"]
    assert released == commit
    assert runs["live"] == (releases.version, releases.good)
    return version


def more_than_most(text: str) -> str:
    """A file of parameters with more tasks at least than at most."""
    document = json.loads(text)
    document["Parameters"]["MinTasks"] = str(int(document["Parameters"]["MaxTasks"]) + 1)
    return json.dumps(document, indent=2)


def check_failing_smoke_test(releases: Releases) -> str:
    """In production, which keeps the version, until a person rolls it back."""
    commit = releases.commit("app/src/main.mjs", lambda _: WRONG_IN_LIVE)
    releases.service.release(1)
    stage, action, why = releases.failed(commit)
    assert (stage, action) == ("Live", "Tests")
    assert "Build terminated with state: FAILED" in why
    runs = releases.runs()
    assert runs["live"][0] == runs["dev"][0] != releases.version
    assert runs["dev"][1] == commit
    releases.service.scaffold("rollback", "live", "--yes")
    releases.rolled_back()
    assert releases.runs()["live"] == (releases.version, releases.good)
    return runs["dev"][0]
