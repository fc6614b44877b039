"""What production runs is recorded and tagged once, whatever is retried, rolled back or pushed by others."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
import pytest

from tests.service.conftest import function_of

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)
FIRST, SECOND, THIRD = (f"20260131-11{minute:02}-0123456789ab" for minute in (1, 2, 3))
SETTINGS = function_of("commits.py", "SETTINGS")
APPROVAL = {"by": "arn:aws:iam::1:user/ada", "message": "Fine", "at": "2026-01-31T11:00:00Z"}


class Service:
    """A repository with commits, and a bucket with the records that builds have begun."""

    def __init__(self, name: str, folder: Path, variables: dict[str, str]) -> None:
        session = boto3.Session(variables["AWS_ACCESS_KEY_ID"], variables["AWS_SECRET_ACCESS_KEY"])
        self.name = name
        self.s3, codecommit = (
            session.client(one, variables["AWS_REGION"], endpoint_url=variables["AWS_ENDPOINT_URL"])
            for one in ("s3", "codecommit")
        )
        self.s3.create_bucket(Bucket=name)
        made = codecommit.create_repository(repositoryName=name)
        self.url = made["repositoryMetadata"]["cloneUrlHttp"]
        self.folder = folder
        self.git("init", "--quiet", "--initial-branch=main")
        self._complete = function_of("complete_release.py", "complete")
        self._complete.__globals__.update(approval=lambda *_: None, running_approval=lambda *_: APPROVAL)

    def git(self, *words: str) -> str:
        settings = [word for name, value in SETTINGS.items() for word in ("-c", f"{name}={value}")]
        who = {f"GIT_{one}_{what}": "a@example.com" for one in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
        isolated = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
        done = subprocess.run(
            ["git", *settings, *words],
            cwd=self.folder, env={**os.environ, **who, **isolated}, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def build(self, name: str, *subjects: str) -> str:
        """Push commits, and begin a release of the last one."""
        for subject in subjects:
            self.git("commit", "--quiet", "--allow-empty", "--message", subject)
        self.git("push", "--quiet", self.url, "HEAD:refs/heads/main")
        commit = self.git("rev-parse", "HEAD")
        record = {"name": name, "commit": commit, "version": f"of-{name}", "execution": f"run-{name}"}
        self.store(f"releases/{name}/release.json", record)
        return commit

    def complete(self, name: str) -> str:
        given = {"APP_NAME": self.name, "ARTIFACT_BUCKET": self.name, "ENVIRONMENT_NAME": "prod"}
        done: str = self._complete(given | {"EXECUTION": "execution", "RELEASE_NAME": name}, NOON)
        return done

    def store(self, key: str, document: Any) -> None:
        self.s3.put_object(Bucket=self.name, Key=key, Body=json.dumps(document).encode())

    def read(self, key: str) -> dict[str, Any]:
        document: dict[str, Any] = json.loads(self.s3.get_object(Bucket=self.name, Key=key)["Body"].read())
        return document

    def record(self, name: str) -> dict[str, Any]:
        return self.read(f"releases/{name}/release.json")

    def tags(self) -> dict[str, str]:
        lines = self.git("ls-remote", "--tags", self.url).splitlines()
        return {name.removeprefix("refs/tags/"): commit for commit, name in (line.split("\t") for line in lines)}


@pytest.fixture
def service(
    local: dict[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, request: pytest.FixtureRequest
) -> Service:
    for name, value in local.items():
        monkeypatch.setenv(name, value)
    return Service(request.node.name.replace("_", "-")[5:55].strip("-"), tmp_path, local)


@pytest.mark.slow
def test_releases_are_recorded_tagged_and_compared_with_the_one_before(service: Service) -> None:
    first = service.build(FIRST, "Start", "Add orders")
    said = service.complete(FIRST)
    assert said == f"Release {FIRST} of commit {first} is in prod, with the tag v{FIRST}."
    assert service.record(FIRST) == {
        "name": FIRST,
        "commit": first,
        "version": f"of-{FIRST}",
        "execution": f"run-{FIRST}",
        "tag": f"v{FIRST}",
        "environment": "prod",
        "finished": "2026-01-31T12:00:00Z",
        "approval": APPROVAL,
        "previous": None,
        "notes": ["Add orders", "Start"],
    }
    second = service.build(SECOND, "Fix totals", "x" * 300)
    service.complete(SECOND)
    record = service.record(SECOND)
    assert record["previous"] == {"name": FIRST, "commit": first, "version": f"of-{FIRST}"}
    assert record["notes"] == ["x" * 200, "Fix totals"]
    assert service.tags() == {f"v{FIRST}": first, f"v{SECOND}": second}
    assert service.read("releases/production.json") == {
        "name": SECOND,
        "commit": second,
        "version": f"of-{SECOND}",
        "execution": f"run-{SECOND}",
        "since": "2026-01-31T12:00:00Z",
    }

    # A rollback, and what is released after it.
    before = service.record(FIRST)
    assert "again; its record stays as it is" in service.complete(FIRST)
    assert (service.record(FIRST), service.read("releases/production.json")["name"]) == (before, FIRST)
    service.build(THIRD, "Fix it")
    service.complete(THIRD)
    assert service.record(THIRD)["previous"]["name"] == FIRST
    assert service.record(THIRD)["notes"] == ["Fix it", "x" * 200, "Fix totals"]


def test_a_retry_completes_what_an_earlier_attempt_has_left(service: Service) -> None:
    commit = service.build(FIRST, "Start")
    service.git("push", "--quiet", service.url, f"{commit}:refs/tags/v{FIRST}")
    service.complete(FIRST)
    # The attempt ended before the last write.
    service.s3.delete_object(Bucket=service.name, Key="releases/production.json")
    before = service.record(FIRST)
    service.complete(FIRST)
    assert (service.record(FIRST), service.read("releases/production.json")["commit"]) == (before, commit)
    assert service.tags() == {f"v{FIRST}": commit}


def test_a_tag_of_another_commit_is_not_moved(service: Service) -> None:
    other = service.build(FIRST, "Start")
    service.git("push", "--quiet", service.url, f"{other}:refs/tags/v{SECOND}")
    commit = service.build(SECOND, "More")
    with pytest.raises(
        Exception, match=f"^the tag v{SECOND} leads to {other}, but the release is of commit {commit}; "
    ):
        service.complete(SECOND)
    assert service.tags() == {f"v{SECOND}": other}
    assert "finished" not in service.record(SECOND)


def test_without_a_record_of_the_build_nothing_is_tagged(service: Service) -> None:
    service.build(FIRST, "Start")
    with pytest.raises(Exception, match=f"^the build has left no record of the release {SECOND}; "):
        service.complete(SECOND)
    assert service.tags() == {}


@pytest.mark.slow
def test_a_history_without_the_release_before_has_its_own_notes(service: Service) -> None:
    service.build(FIRST, "Start")
    pointer = {"name": "gone", "commit": "b" * 40, "version": "v"}
    service.store("releases/production.json", pointer)
    service.complete(FIRST)
    assert (service.record(FIRST)["previous"], service.record(FIRST)["notes"]) == (pointer, ["Start"])


def details(stage: str, status: str, category: str = "Approval", **more: Any) -> dict[str, Any]:
    given = {"stageName": stage, "status": status, "input": {"actionTypeId": {"category": category}}}
    return given | more


@pytest.mark.parametrize(
    ("actions", "expected"),
    [
        ([], None),
        ([details("Approve-Gate", "Succeeded", updatedBy="someone")], None),
        ([details("Approve-Prod", "Failed", updatedBy="someone")], None),
        ([details("Approve-Prod", "Succeeded", category="Test")], None),
        (
            [
                details("Prod", "Succeeded", "Deploy"),
                details(
                    "Approve-Prod", "Succeeded", updatedBy="ada", lastUpdateTime="noon",
                    output={"executionResult": {"externalExecutionSummary": "Fine"}},
                ),
                details("Approve-Prod", "Failed", updatedBy="bob"),
            ],
            {"by": "ada", "message": "Fine", "at": "noon"},
        ),
    ],
)  # fmt: skip
def test_who_approved(actions: list[dict[str, Any]], expected: object) -> None:
    approval: Callable[..., Any] = function_of("approvals.py", "approval")
    asked: list[Any] = []

    def call(*words: str, **request: Any) -> dict[str, Any]:
        asked.append((words, request))
        return {"actionExecutionDetails": actions}

    approval.__globals__["call"] = call
    assert approval("shop", "prod", "execution-1") == expected
    request = {"pipelineName": "shop", "filter": {"pipelineExecutionId": "execution-1"}}
    assert asked == [(("codepipeline", "list-action-executions"), request)]


@pytest.mark.parametrize(
    ("plans", "said"),
    [
        ([{"CHANGED": "no"}], ""),
        ([{"CHANGED": "yes", "WAITS": "no", "RUNNING": "yes"}], ""),
        # The newest attempt comes first; with branches, another action says whether the release waits.
        ([{"CHANGED": "no"}, {"CHANGED": "yes"}], ""),
        ([{"WAITS": "no"}, {"CHANGED": "yes"}], ""),
        ([{"CHANGED": "yes"}], "CodePipeline does not list who has approved the release for prod; retry the stage"),
        ([{"WAITS": "yes"}, {"CHANGED": "no"}], "CodePipeline does not list who"),
        ([], "CodePipeline does not list who"),
    ],
)
@pytest.mark.parametrize("late", [[], [details("Approve-Prod", "InProgress")]])
def test_an_approval_that_codepipeline_does_not_list_yet_is_nobodys(
    plans: list[dict[str, str]], said: str, late: list[dict[str, Any]]
) -> None:
    judge: Callable[..., str] = function_of("approvals.py", "why_not_approved")
    made = [details("Plan-Prod", "Succeeded", "Test", output={"outputVariables": one}) for one in plans]
    judge.__globals__["call"] = lambda *words, **request: {"actionExecutionDetails": [*late, *made]}
    chosen = ("shop", "prod", "execution-1", ["Releasers"])
    # Without a plan there is no approval.
    assert judge(*chosen, planned=False) == ""
    if said:
        with pytest.raises(judge.__globals__["Problem"], match=said):
            judge(*chosen, planned=True)
    else:
        assert judge(*chosen, planned=True) == ""
