"""A release enters an environment neither during a freeze nor while the environment before is in alarm."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.infrastructure.stacks import load
from tests.service.conftest import function_of, run_script

OPEN, CLOSED, USAGE_ERROR, CLOSED_UNREAD = 0, 1, 2, 3
DENIED = "An error occurred (AccessDeniedException) when calling an operation: no"


class Entry:
    """The check of a generated service.

    Attributes:
        answers: What AWS returns, by operation; a text is an error, and a list has an answer for each call.
        alarms: The names of those that were looked at last.
    """

    def __init__(self, service: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.script = service / "config/scripts/entry_check.py"
        self.monkeypatch = monkeypatch
        self.answers: dict[str, Any] = {
            "get-pipeline-execution": {"pipelineExecution": {"executionType": "STANDARD"}},
            "describe-alarms": {"MetricAlarms": []},
        }
        self.alarms: list[str] = []

    def run(self, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run the check in this process, with ON_FAILURE for a stage that CodePipeline rolls back."""

        def aws(command: list[str], **options: Any) -> subprocess.CompletedProcess[str]:
            assert options["timeout"] > 0
            answer = self.answers[command[2]]
            if isinstance(answer, list):
                answer = answer.pop(0)
            if command[2] == "describe-alarms":
                self.alarms = json.loads(command[command.index("--cli-input-json") + 1])["AlarmNames"]
            if isinstance(answer, str):
                return subprocess.CompletedProcess(command, 254, "", answer)
            return subprocess.CompletedProcess(command, 0, json.dumps(answer), "")

        given = {"APP_NAME": "orders", "ENVIRONMENT_NAME": "prod", "EXECUTION": "execution-2", **variables}
        return run_script(self.monkeypatch, self.script, aws, given, ["--looks", "2", "--pause-seconds", "0"])


@pytest.fixture
def entry(generated: Path, monkeypatch: pytest.MonkeyPatch) -> Entry:
    return Entry(generated, monkeypatch)


def period(first: int, last: int) -> str:
    """A freeze that begins and ends some days from now."""
    today = datetime.now(UTC).date()
    return f"{today + timedelta(days=first)}..{today + timedelta(days=last)}"


def opened(done: subprocess.CompletedProcess[str], *words: str) -> None:
    assert (done.returncode, done.stderr) == (OPEN, ""), done.stdout + done.stderr
    assert done.stdout.startswith("Entry check open: ")
    for word in words:
        assert word in done.stdout


def closed(done: subprocess.CompletedProcess[str], code: int, *words: str) -> None:
    """Assert that the check closed with one sentence, which has a remedy."""
    assert (done.returncode, done.stdout) == (code, ""), done.stdout + done.stderr
    assert done.stderr.startswith("Entry check closed: ")
    assert done.stderr.count("\n") == done.stderr.count("; ") == 1
    for word in words:
        assert word in done.stderr


@pytest.mark.parametrize("freezes", ["", period(-9, -2), period(2, 9), f"{period(-9, -2)},{period(2, 2)}"])
def test_a_release_enters_outside_of_freezes(entry: Entry, freezes: str) -> None:
    opened(entry.run(FREEZES=freezes), "may enter prod")


@pytest.mark.parametrize("before", ["", "2020-01-01..2020-01-01,"])
def test_a_freeze_stops_a_release_and_names_the_retry(entry: Entry, before: str) -> None:
    freeze = period(-2, 2)
    done = entry.run(FREEZES=before + freeze)
    closed(done, CLOSED, " to ".join(freeze.split("..")), "`scaffold retry Prod`")


def test_a_release_that_the_branch_of_its_environment_does_not_lead_to_is_stopped(entry: Entry) -> None:
    described = {"executionType": "STANDARD", "artifactRevisions": [{"name": "Source", "revisionId": "1" * 40}]}
    entry.answers["get-pipeline-execution"] = {"pipelineExecution": described}
    entry.answers["get-branch"] = {"branch": {"branchName": "env/prod", "commitId": "1" * 40}}
    opened(entry.run(BRANCH="env/prod"))
    entry.answers["get-branch"]["branch"]["commitId"] = "2" * 40
    closed(entry.run(BRANCH="env/prod"), CLOSED, f"env/prod leads to {'2' * 40}", "`scaffold retry Prod`")
    described["executionType"] = "ROLLBACK"
    opened(entry.run(BRANCH="env/prod"), "a rollback may always enter")
    described["executionType"] = "STANDARD"
    entry.answers["get-branch"] = DENIED
    closed(entry.run(BRANCH="env/prod"), CLOSED_UNREAD, "AccessDenied")


def approved_by(arn: object) -> dict[str, Any]:
    """What CodePipeline returns about an execution whose release was approved."""
    action = {"stageName": "Approve-Prod", "status": "Succeeded", "input": {"actionTypeId": {"category": "Approval"}}}
    return {"actionExecutionDetails": [action | ({"updatedBy": arn} if arn else {})]}


APPROVERS = {"APPROVERS": "Releasers,Leads"}
ROLES = "arn:aws:sts::123456789012:assumed-role"


@pytest.mark.parametrize(
    "arn",
    [
        f"{ROLES}/Releasers/ada",
        f"{ROLES}/Leads/bob@example.com",
        "arn:aws-us-gov:sts::123456789012:assumed-role/Leads/bob",
        "arn:aws:iam::123456789012:role/team/Releasers",
    ],
)
def test_a_release_enters_that_an_approver_has_approved(entry: Entry, arn: str) -> None:
    entry.answers["list-action-executions"] = approved_by(arn)
    opened(entry.run(**APPROVERS))


@pytest.mark.parametrize(
    "arn",
    [
        f"{ROLES}/Developers/Releasers",
        f"{ROLES}/Releasers-two/ada",
        f"{ROLES}/releasers/ada",
        "arn:aws:iam::123456789012:role/Releasers/Admin",
        "arn:aws:iam::123456789012:user/Releasers",
        "arn:aws:iam::123456789012:root",
        "Releasers",
        "",
        None,
    ],
)
def test_an_approval_of_somebody_else_stops_a_release_and_names_the_approvers(entry: Entry, arn: object) -> None:
    entry.answers["list-action-executions"] = approved_by(arn)
    closed(entry.run(**APPROVERS), CLOSED, "Releasers, Leads", str(arn or "an unknown caller"), "release again with")
    # Without the answer, everybody's approval counts.
    opened(entry.run())


def test_of_a_merged_pull_request_the_merge_counts_and_not_the_approval_of_the_build(entry: Entry) -> None:
    """The approval of the build says nothing about a person, nor does one beside the pull request."""
    build = approved_by(f"{ROLES}/app-releases-BranchesRole/AWSCodeBuild-1")["actionExecutionDetails"]
    opened_it = {"stageName": "Plan-Prod", "actionName": "PullRequest", "output": {"outputVariables": {"NUMBER": "7"}}}
    entry.answers["list-action-executions"] = {"actionExecutionDetails": [*build, opened_it]}

    def merged_by(arn: str | None) -> None:
        merge = {"mergeMetadata": {"isMerged": True, "mergedBy": arn}} if arn else {}
        entry.answers["get-pull-request"] = {"pullRequest": {"pullRequestTargets": [merge]}}

    merged_by(f"{ROLES}/Releasers/ada")
    opened(entry.run(**APPROVERS))
    merged_by(f"{ROLES}/Developers/eve")
    closed(entry.run(**APPROVERS), CLOSED, f"by {ROLES}/Developers/eve, who has none", "Releasers, Leads")
    # A branch that was pushed.
    merged_by(None)
    person = approved_by(f"{ROLES}/Releasers/ada")["actionExecutionDetails"]
    entry.answers["list-action-executions"] = {"actionExecutionDetails": [*person, opened_it]}
    closed(entry.run(**APPROVERS), CLOSED, "by an unknown caller")
    # The first commit, to which no pull request can lead.
    opened_it["output"] = {"outputVariables": {"NUMBER": "none"}}
    opened(entry.run(**APPROVERS))


def test_a_release_that_needed_no_approval_enters_and_a_rollback_too(entry: Entry) -> None:
    entry.answers["list-action-executions"] = {"actionExecutionDetails": []}
    opened(entry.run(**APPROVERS))
    entry.answers["list-action-executions"] = DENIED
    closed(entry.run(**APPROVERS), CLOSED_UNREAD, "scaffold deploy")
    entry.answers["get-pipeline-execution"] = {"pipelineExecution": {"executionType": "ROLLBACK"}}
    opened(entry.run(**APPROVERS), "a rollback may always enter")


def alarm(name: str) -> dict[str, Any]:
    """What CloudWatch returns for an alarm that is in ALARM."""
    return {"MetricAlarms": [{"AlarmName": name}]}


def test_an_alarm_of_the_environment_before_stops_a_release(entry: Entry) -> None:
    opened(entry.run(BEFORE="staging"))
    entry.answers["describe-alarms"] = alarm("orders-staging-latency")
    done = entry.run(BEFORE="staging")
    assert done.stdout == "Waiting for alarms of staging: orders-staging-latency.\n"
    done.stdout = ""
    closed(done, CLOSED, "in ALARM in staging: orders-staging-latency", "`scaffold retry Prod`")
    # Without an environment before, nobody's alarms count.
    opened(entry.run())


def test_where_the_stage_is_rolled_back_the_remedy_is_another_release(entry: Entry) -> None:
    entry.answers["describe-alarms"] = alarm("orders-dev-latency")
    done = entry.run(ENVIRONMENT_NAME="staging", BEFORE="dev", ON_FAILURE="ROLLBACK", AWS_REGION="eu-central-1")
    done.stdout = ""
    again = "aws codepipeline start-pipeline-execution --name orders --region eu-central-1"
    closed(done, CLOSED, f"release again with `{again}`", "infrastructure/alarms.yaml")
    assert "retry" not in done.stderr
    entry.answers["describe-alarms"] = DENIED
    done = entry.run(ENVIRONMENT_NAME="staging", BEFORE="dev", ON_FAILURE="ROLLBACK")
    closed(done, CLOSED_UNREAD, "AccessDenied", "then release again")


def test_every_alarm_of_an_environment_counts(entry: Entry, generated: Path) -> None:
    opened(entry.run(BEFORE="dev", APP_NAME="hello-service"))
    found = {
        properties["AlarmName"]
        for stack in load(generated).values()
        for _, properties in stack.of_type("AWS::CloudWatch::Alarm")
    }
    assert set(entry.alarms) == {name for name in found if name.startswith("hello-service-dev-")} != set()


def test_a_rollback_enters_during_a_freeze_and_an_alarm(entry: Entry) -> None:
    entry.answers["get-pipeline-execution"] = {"pipelineExecution": {"executionType": "ROLLBACK"}}
    entry.answers["describe-alarms"] = alarm("orders-staging-5xx")
    opened(entry.run(FREEZES=period(-2, 2), BEFORE="staging"), "a rollback")


def test_what_cannot_be_read_stops_the_release(entry: Entry) -> None:
    closed(entry.run(FREEZES="soon"), CLOSED_UNREAD, "'soon'")
    entry.answers["describe-alarms"] = DENIED
    closed(entry.run(BEFORE="staging"), CLOSED_UNREAD, "AccessDenied", "scaffold deploy")
    entry.answers["get-pipeline-execution"] = DENIED
    closed(entry.run(), CLOSED_UNREAD, "AccessDenied", "scaffold deploy")


def test_variables_that_are_missing_are_named(entry: Entry) -> None:
    done = entry.run(APP_NAME="", EXECUTION="")
    assert (done.returncode, done.stderr) == (USAGE_ERROR, "Set APP_NAME, ENVIRONMENT_NAME, EXECUTION.\n")


@pytest.fixture(scope="module")
def freeze_on() -> Callable[..., str]:
    freeze_on: Callable[..., str] = function_of("entry_check.py", "freeze_on")
    return freeze_on


@given(first=st.dates(), last=st.dates(), day=st.dates())
def test_both_dates_of_a_freeze_belong_to_it(freeze_on: Callable[..., str], first: Any, last: Any, day: Any) -> None:
    first, last = sorted((first, last))
    assert bool(freeze_on(day, f"{first}..{last}")) == (first <= day <= last)
    assert freeze_on(first, f"{first}..{last}") == freeze_on(last, f"{first}..{last}") == f"{first}..{last}"
