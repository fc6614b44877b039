"""The verdict on a pull request follows the newest state, whatever happens while it is given; its comment is one."""

from __future__ import annotations

import importlib
import itertools
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.service.conftest import import_from

Document = dict[str, Any]
APP, NUMBER = "hello-service", "7"
ROLE = f"arn:aws:iam::111122223333:role/{APP}/delivery/{APP}-pr-verdict"
SESSION = f"arn:aws:sts::111122223333:assumed-role/{APP}-pr-verdict/verdict"


class Account:
    """CodeCommit and CodeBuild with one pull request, as the verdict sees them.

    Attributes:
        calls: The operations in order.
        during: Called before a call is answered, with its number.
        log: The log of all tests, and plan_log, of all plans.
        others: More open pull requests, by number, and the branch that each of them is to.
        limit: How often CodeBuild still refuses to start tests, and plan_limit, plans.
        planned: How each plan ends, at once.
    """

    def __init__(self, refused: Callable[[str], Exception]) -> None:
        self.calls: list[str] = []
        self.during: Callable[[int], None] = lambda count: None
        self.log: list[str] = []
        self.plan_log: list[str] = []
        self._refused = refused
        self.status, self.commit, self.destination = "OPEN", "a" * 40, "refs/heads/main"
        self.builds: list[Document] = []
        self.plans: list[Document] = []
        self.planned, self.plan_limit = "SUCCEEDED", 0
        self.comments: list[Document] = []
        self.approved: set[str] = set()
        self.others: dict[str, str] = {}
        self.limit = 0
        self.revision = self.commit[:1]
        self.tokens: dict[str, Document] = {}

    def build(self, status: str, number: str = NUMBER, revision: str = "") -> Document:
        """Start a build of the newest commit, as the verdict or, without a revision, as a person."""
        variables = [{"name": "PULL_REQUEST", "value": number}, {"name": "OTHER", "value": "x"}]
        variables += [{"name": "REVISION", "value": revision}] if revision else []
        identifier = f"{APP}-pr-tests:{len(self.builds)}"
        logs = {"groupName": "g", "streamName": identifier, "deepLink": "https://console/log"}
        self.builds.insert(
            0,
            {
                "id": identifier,
                "sourceVersion": self.commit,
                "buildStatus": status,
                "phases": [{"durationInSeconds": 50}, {"durationInSeconds": 30}, {}],
                "environment": {"environmentVariables": variables},
                "logs": logs,
            },
        )
        return self.builds[0]

    def push(self, letter: str = "b") -> None:
        """Push to the branch, which takes approvals away."""
        self.commit = letter * 40
        self.revision += letter
        self.approved.clear()

    @property
    def comment(self) -> str:
        """The only comment of the verdict that people see."""
        (found,) = [one for one in self.comments if one["authorArn"] == SESSION and not one["deleted"]]
        return str(found["content"])

    def call(self, service: str, operation: str, **request: Any) -> Document:
        self.calls.append(operation)
        self.during(len(self.calls))
        return getattr(self, "_" + operation.replace("-", "_"))(**request)  # type: ignore[no-any-return]

    def _assume_role(self, RoleArn: str, RoleSessionName: str) -> Document:  # noqa: N803
        assert (RoleArn, RoleSessionName) == (ROLE, "verdict")
        return {"Credentials": {"AccessKeyId": "key", "SecretAccessKey": "secret", "SessionToken": "token"}}

    def _get_pull_request(self, pullRequestId: str) -> Document:  # noqa: N803
        destination = self.others.get(pullRequestId, self.destination)
        target = {"repositoryName": APP, "destinationReference": destination, "sourceCommit": self.commit}
        found = {"pullRequestStatus": self.status, "revisionId": self.revision}
        return {"pullRequest": {**found, "pullRequestTargets": [{**target, "destinationCommit": "c" * 40}]}}

    def _list_pull_requests(self, repositoryName: str, pullRequestStatus: str, nextToken: str = "0") -> Document:  # noqa: N803
        assert (repositoryName, pullRequestStatus) == (APP, "OPEN")
        found = [*self.others, *([NUMBER] if self.status == "OPEN" else [])]
        place = int(nextToken)
        more = {"nextToken": str(place + 2)} if place + 2 < len(found) else {}
        return {"pullRequestIds": found[place : place + 2], **more}

    def _list_builds_for_project(self, projectName: str) -> Document:  # noqa: N803
        return {"ids": [one["id"] for one in self._of(projectName)]}

    def _of(self, project: str) -> list[Document]:
        return {f"{APP}-pr-tests": self.builds, f"{APP}-pr-plan": self.plans}[project]

    def _batch_get_builds(self, ids: list[str]) -> Document:
        return {"builds": [dict(one) for one in reversed(self.builds + self.plans) if one["id"] in ids]}

    def _plan(self, variables: list[Document]) -> Document:
        """Start a plan, which has ended."""
        identifier = f"{APP}-pr-plan:{len(self.plans)}"
        made = {"id": identifier, "sourceVersion": "deployed", "buildStatus": self.planned, "phases": []}
        made |= {"environment": {"environmentVariables": variables}}
        made |= {"logs": {"groupName": "g", "streamName": identifier, "deepLink": "https://console/plan"}}
        self.plans.insert(0, made)
        return made

    def _start_build(
        self,
        projectName: str,  # noqa: N803
        environmentVariablesOverride: list[Document],  # noqa: N803
        idempotencyToken: str,  # noqa: N803
        sourceVersion: str = "",  # noqa: N803
    ) -> Document:
        assert (projectName == f"{APP}-pr-tests") is bool(sourceVersion)
        if projectName == f"{APP}-pr-plan":
            if self.plan_limit:
                self.plan_limit -= 1
                raise self._refused("AccountLimitExceededException")
            if idempotencyToken not in self.tokens:
                self.tokens[idempotencyToken] = self._plan(environmentVariablesOverride)
            return {"build": dict(self.tokens[idempotencyToken])}
        if self.limit:
            self.limit -= 1
            raise self._refused("AccountLimitExceededException")
        if idempotencyToken not in self.tokens:
            given = {one["name"]: one["value"] for one in environmentVariablesOverride}
            made = self.build("IN_PROGRESS", given["PULL_REQUEST"], given["REVISION"])
            self.tokens[idempotencyToken] = made | {"sourceVersion": sourceVersion}
            self.builds[0] = self.tokens[idempotencyToken]
        return {"build": dict(self.tokens[idempotencyToken])}

    def _get_pull_request_approval_states(self, pullRequestId: str, revisionId: str) -> Document:  # noqa: N803
        mary = {"userArn": "arn:aws:sts::111122223333:assumed-role/People/mary", "approvalState": "APPROVE"}
        return {"approvals": [mary, *({"userArn": one, "approvalState": "APPROVE"} for one in self.approved)]}

    def _stop_build(self, id: str) -> Document:  # noqa: A002
        next(one for one in self.builds + self.plans if one["id"] == id)["buildStatus"] = "STOPPED"
        return {}

    def _update_pull_request_approval_state(self, pullRequestId: str, revisionId: str, approvalState: str) -> Document:  # noqa: N803
        if self.status != "OPEN":
            raise self._refused("PullRequestAlreadyClosedException")
        if revisionId != self.revision:
            raise self._refused("RevisionNotCurrentException")
        (self.approved.add if approvalState == "APPROVE" else self.approved.discard)(SESSION)
        return {}

    def _get_comments_for_pull_request(self, pullRequestId: str, nextToken: str = "0") -> Document:  # noqa: N803
        place = int(nextToken)
        more = {"nextToken": str(place + 1)} if place + 1 < len(self.comments) else {}
        return {"commentsForPullRequestData": [{"comments": self.comments[place : place + 1]}], **more}

    def _post_comment_for_pull_request(self, clientRequestToken: str, content: str, **given: str) -> Document:  # noqa: N803
        known = next((one for one in self.comments if one.get("token") == clientRequestToken), None)
        if known is None:
            known = {"commentId": str(len(self.comments)), "authorArn": SESSION, "token": clientRequestToken}
            known |= {"given": given, "content": content, "deleted": False}
            self.comments.append(known)
        elif known["given"] != given:
            raise self._refused("IdempotencyParameterMismatchException")
        return {"comment": known}

    def _update_comment(self, commentId: str, content: str) -> Document:  # noqa: N803
        found = self.comments[int(commentId)]
        assert found["authorArn"] == SESSION
        if found["deleted"]:
            raise self._refused("CommentDeletedException")
        found["content"] = content
        return {}

    def _get_log_events(self, nextToken: str = "0", **given: Any) -> Document:  # noqa: N803
        place = int(nextToken)
        log = self.plan_log if "-pr-plan:" in given["logStreamName"] else self.log
        events = [{"message": f"{line}\n"} for line in log[place : place + 10]]
        return {"events": events, "nextForwardToken": str(place + 10) if events else nextToken}


@pytest.fixture
def verdict(generated: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    import_from(monkeypatch, generated / "config/scripts")
    return importlib.import_module("verdict")


@pytest.fixture
def comment(verdict: ModuleType) -> ModuleType:
    return importlib.import_module("verdict_comment")


@pytest.fixture
def account(verdict: ModuleType, monkeypatch: pytest.MonkeyPatch) -> Account:
    made = Account(lambda code: verdict.Refused(f"An error occurred ({code}) when calling: no"))
    for module in (verdict, *map(importlib.import_module, ("pull_requests", "aws_calls"))):
        monkeypatch.setattr(module, "call", made.call)
    monkeypatch.setattr(verdict, "sleep", lambda seconds: made.calls.append("sleep"))
    # The verdict replaces the credentials.
    credentials = dict.fromkeys(("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"), "x")
    given = {"APP_NAME": APP, "VERDICT_ROLE": ROLE}
    for name, value in (credentials | given).items():
        monkeypatch.setenv(name, value)
    return made


@pytest.mark.parametrize(
    ("status", "words"),
    [
        ("SUCCEEDED", "succeeded** after 1 min 20 s. [Log](https://console/log)"),
        ("FAILED", "failed** after 1 min 20 s"),
        ("FAULT", "failed, through a fault of CodeBuild**"),
        ("TIMED_OUT", "timed out**"),
        ("STOPPED", "stopped**"),
        ("IN_PROGRESS", "running**. [Log]"),
    ],
)
def test_only_tests_that_succeeded_approve(verdict: ModuleType, account: Account, status: str, words: str) -> None:
    account.approved.add(SESSION)
    account.build(status)
    assert verdict.main() == 0
    assert (SESSION in account.approved) is (status == "SUCCEEDED")
    assert f"**Tests of `aaaaaaaaaaaa`: {words}" in account.comment
    assert ("retry-build --id hello-service-pr-tests:0" in account.comment) is (
        status not in ("SUCCEEDED", "IN_PROGRESS")
    )


def test_a_pull_request_without_builds_is_not_approved_and_its_tests_are_started(
    verdict: ModuleType, account: Account
) -> None:
    account.build("SUCCEEDED", number="8")
    account.approved.add(SESSION)
    assert verdict.main() == 0
    assert account.approved == set()
    plan = (
        "**Plan: succeeded** after 0 s. [Log](https://console/plan)\n\nWhat it says could not be read: look at its log."
    )
    assert account.comment == f"**Tests of `aaaaaaaaaaaa`: running**. [Log](https://console/log)\n\n{plan}"
    (started, _) = account.builds
    variables = {one["name"]: one["value"] for one in started["environment"]["environmentVariables"]}
    assert (variables["PULL_REQUEST"], started["sourceVersion"]) == (NUMBER, account.commit)


def test_tests_of_older_commits_count_for_nothing_and_are_stopped(verdict: ModuleType, account: Account) -> None:
    account.others["8"] = "refs/heads/main"
    account.build("SUCCEEDED")
    account.build("IN_PROGRESS")
    account.push()
    account.build("IN_PROGRESS", number="8")
    assert verdict.main() == 0
    assert account.approved == set()
    assert [one["buildStatus"] for one in account.builds] == ["IN_PROGRESS", "IN_PROGRESS", "STOPPED", "SUCCEEDED"]
    assert [one["sourceVersion"][0] for one in account.builds] == ["b", "b", "a", "a"]


def test_tests_that_a_verdict_stopped_are_started_again_and_those_that_a_person_stopped_are_not(
    verdict: ModuleType, account: Account
) -> None:
    assert verdict.main() == 0
    account.push("b")
    assert verdict.main() == 0
    account.push("a")
    assert verdict.main() == 0
    assert [one["buildStatus"] for one in account.builds] == ["IN_PROGRESS", "STOPPED", "STOPPED"]
    account.builds[0]["buildStatus"] = "STOPPED"
    assert verdict.main() == 0
    assert len(account.builds) == 3
    assert "stopped**" in account.comment


def test_tests_that_codebuild_does_not_start_yet_are_started_later_and_the_comment_says_so(
    verdict: ModuleType, account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in a new account, which runs one build of a compute type at once."""
    account.limit = 4
    monkeypatch.setenv("CODEBUILD_BUILD_ID", "hello-service-pr-verdict:1")
    comments: list[str] = []
    monkeypatch.setattr(verdict, "sleep", lambda seconds: comments.append(account.comment))
    assert verdict.main() == 0
    assert account.comment.startswith("**Tests of `aaaaaaaaaaaa`: running**")
    assert len(account.builds) == 1
    assert len(comments) == 3
    assert comments[0].startswith("**Tests of `aaaaaaaaaaaa`: waiting for CodeBuild**.")
    assert "`aws codebuild retry-build --id hello-service-pr-verdict:1`" in comments[0]


def test_while_codebuild_starts_nothing_other_pull_requests_get_their_verdicts_and_the_wait_ends(
    verdict: ModuleType, account: Account, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    account.limit = 10**6
    account.others["8"] = "refs/heads/main"
    account.build("SUCCEEDED")
    moments = itertools.count(step=600)
    monkeypatch.setattr(verdict, "monotonic", lambda: next(moments))
    assert verdict.main() == 3
    assert account.approved == {SESSION}
    said = capsys.readouterr().err
    assert said.startswith("No verdict: CodeBuild has started nothing for 50 minutes.\n")


def test_a_wait_ends_without_a_failure_while_tests_run_whose_end_starts_the_next_verdict(
    verdict: ModuleType, account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    account.limit = 10**6
    account.others["8"] = "refs/heads/main"
    account.build("IN_PROGRESS")
    moments = itertools.count(step=600)
    monkeypatch.setattr(verdict, "monotonic", lambda: next(moments))
    assert verdict.main() == 0


@pytest.mark.parametrize("status", ["FAILED", "FAULT", "TIMED_OUT", "STOPPED", "IN_PROGRESS"])
def test_without_a_plan_that_succeeded_nothing_is_approved(verdict: ModuleType, account: Account, status: str) -> None:
    account.planned = status
    account.approved.add(SESSION)
    account.build("SUCCEEDED")
    assert verdict.main() == 0
    assert account.approved == set()
    assert "The checks approve" not in account.comment
    assert ("retry-build --id hello-service-pr-plan:0" in account.comment) is (status != "IN_PROGRESS")


def test_a_plan_of_an_older_commit_is_stopped_and_each_commit_has_one(verdict: ModuleType, account: Account) -> None:
    account.planned = "IN_PROGRESS"
    assert verdict.main() == 0
    account.push()
    assert verdict.main() == 0
    assert [one["buildStatus"] for one in account.plans] == ["IN_PROGRESS", "STOPPED"]
    commits = [
        {one["name"]: one["value"] for one in plan["environment"]["environmentVariables"]} for plan in account.plans
    ]
    assert [one["COMMIT"][0] for one in commits] == ["b", "a"]
    account.status = "CLOSED"
    assert verdict.main() == 0
    assert {one["buildStatus"] for one in account.plans} == {"STOPPED"}


def test_a_plan_that_waits_for_the_tests_costs_no_time_of_the_verdict_and_is_started_after_them(
    verdict: ModuleType, account: Account
) -> None:
    """As in a new account: the end of the tests starts the next verdict."""
    account.plan_limit = 2
    assert verdict.main() == 0
    assert "sleep" not in account.calls
    assert "**Plan: waiting for CodeBuild**." in account.comment
    account.builds[0]["buildStatus"] = "SUCCEEDED"
    account.plan_limit = 3
    assert verdict.main() == 0
    assert account.calls.count("sleep") == 2
    assert account.approved == {SESSION}


def test_the_comment_has_what_the_plan_says(verdict: ModuleType, account: Account) -> None:
    account.build("SUCCEEDED")
    account.plan_log = [
        "[Container] x",
        'PLAN {"environment": "dev", "problem": "it is not there"}',
        "PLAN {",
        "PLAN 1",
    ]
    assert verdict.main() == 0
    assert "- **dev** is not planned: `it is not there`" in account.comment


def test_every_verdict_judges_all_open_pull_requests_to_main(verdict: ModuleType, account: Account) -> None:
    account.others = {"6": "refs/heads/main", "8": "refs/heads/topic", "9": "refs/heads/main", "10": "refs/heads/main"}
    assert verdict.main() == 0
    tested = [one["environment"]["environmentVariables"][0]["value"] for one in account.builds]
    assert sorted(tested) == ["10", "6", "7", "9"]


def test_of_too_many_pull_requests_the_newest_are_judged_and_builds_of_the_others_left(
    verdict: ModuleType, account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verdict, "MOST_REQUESTS", 2)
    account.others = {"8": "refs/heads/main", "10": "refs/heads/main"}
    account.build("IN_PROGRESS")
    account.push()
    assert verdict.main() == 0
    tested = [one["environment"]["environmentVariables"][0]["value"] for one in account.builds]
    assert tested == ["8", "10", NUMBER]
    assert {one["buildStatus"] for one in account.builds} == {"IN_PROGRESS"}


def test_a_pull_request_that_gets_no_verdict_prevents_none_of_the_others(
    verdict: ModuleType, account: Account, capsys: pytest.CaptureFixture[str]
) -> None:
    account.others["8"] = "refs/heads/main"
    account.build("SUCCEEDED")

    def refuse(count: int) -> None:
        if account.calls[-1] == "start-build" and account.calls.count("start-build") == 1:
            raise account._refused("InvalidInputException")

    account.during = refuse
    assert verdict.main() == 3
    assert account.approved == {SESSION}
    said = capsys.readouterr().err
    assert said.startswith("No verdict: Pull request 8: An error occurred (InvalidInputException) when calling: no.\n")


def test_a_verdict_that_changes_nothing_writes_nothing(verdict: ModuleType, account: Account) -> None:
    account.build("SUCCEEDED")
    assert verdict.main() == 0
    account.calls.clear()
    assert verdict.main() == 0
    assert not {"update-comment", "update-pull-request-approval-state", "start-build"} & set(account.calls)


def test_the_newest_build_of_a_commit_decides(verdict: ModuleType, account: Account) -> None:
    account.build("SUCCEEDED")
    account.build("FAILED")
    verdict.main()
    assert account.approved == set()
    account.build("SUCCEEDED")
    verdict.main()
    assert account.approved == {SESSION}
    assert "succeeded" in account.comment


@pytest.mark.parametrize(("status", "destination"), [("CLOSED", "refs/heads/main"), ("OPEN", "refs/heads/topic")])
def test_what_is_closed_or_not_to_main_is_left_alone(
    verdict: ModuleType, account: Account, status: str, destination: str
) -> None:
    account.status, account.destination = status, destination
    account.build("IN_PROGRESS")
    assert verdict.main() == 0
    assert (account.approved, account.comments) == (set(), [])
    assert account.builds[0]["buildStatus"] == "STOPPED"


def test_a_comment_that_people_deleted_is_written_again_and_comments_of_others_are_left(
    verdict: ModuleType, account: Account
) -> None:
    account.comments.append({"commentId": "0", "authorArn": "arn:aws:iam::1:user/me", "content": "x", "deleted": False})
    account.build("SUCCEEDED")
    verdict.main()
    account.comments[-1]["deleted"] = True
    verdict.main()
    assert "succeeded" in account.comment
    assert account.comments[0]["content"] == "x"


def test_a_comment_that_is_deleted_while_the_verdict_writes_it_is_written_again(
    verdict: ModuleType, account: Account
) -> None:
    account.build("IN_PROGRESS")
    assert verdict.main() == 0
    account.builds[0]["buildStatus"] = "SUCCEEDED"
    account.calls.clear()

    def delete(count: int) -> None:
        if account.calls[-1] == "update-comment":
            account.comments[0]["deleted"] = True

    account.during = delete
    assert verdict.main() == 0
    assert "succeeded" in account.comment


def test_a_build_that_names_no_pull_request_is_left_alone(verdict: ModuleType, account: Account) -> None:
    account.build("SUCCEEDED")
    account.build("IN_PROGRESS", number="7; rm")
    assert verdict.main() == 0
    assert account.approved == {SESSION}
    assert account.builds[0]["buildStatus"] == "IN_PROGRESS"


EVENTS: dict[str, Callable[[Account], object]] = {
    "the tests fail the second time": lambda account: account.build("FAILED"),
    "the tests succeed": lambda account: account.build("SUCCEEDED"),
    "a push": Account.push,
    "a push whose tests run": lambda account: (account.push(), account.build("IN_PROGRESS"))[0],
    "a push whose tests succeed": lambda account: (account.push(), account.build("SUCCEEDED"))[0],
    "it is closed": lambda account: setattr(account, "status", "CLOSED"),
}


@pytest.mark.parametrize("event", EVENTS)
@pytest.mark.parametrize("before", ["SUCCEEDED", "FAILED", "IN_PROGRESS"])
def test_two_verdicts_at_once_end_with_the_newest_state(
    verdict: ModuleType, account: Account, before: str, event: str
) -> None:
    """The event, and the whole verdict that it starts, between any two calls of the first verdict."""
    for place in itertools.count(1):
        account.__init__(account._refused)  # type: ignore[misc]
        account.build(before)

        def during(count: int, place: int = place) -> None:
            if count == place:
                account.during = lambda count: None
                EVENTS[event](account)
                assert verdict.main() == 0

        account.during = during
        assert verdict.main() == 0
        if len(account.calls) < place:
            break
        if account.status == "OPEN":
            newest = next((one for one in account.builds if one["sourceVersion"] == account.commit), None)
            assert newest is not None, place
            assert newest["buildStatus"] != "STOPPED", place
            green = newest["buildStatus"] == "SUCCEEDED"
            assert account.approved == ({SESSION} if green else set()), place
            assert f"Tests of `{account.commit[:12]}`" in account.comment, place
            assert ("The checks approve this commit" in account.comment) is green, place
    assert place > 5


@pytest.mark.parametrize(
    ("operation", "code"),
    [
        ("post-comment-for-pull-request", "IdempotencyParameterMismatchException"),
        ("update-pull-request-approval-state", "RevisionNotCurrentException"),
    ],
)
def test_what_another_verdict_has_prevented_is_done_again(
    verdict: ModuleType, account: Account, operation: str, code: str
) -> None:
    account.build("SUCCEEDED")

    def refuse(count: int) -> None:
        if account.calls[-1] == operation and account.calls.count(operation) == 1:
            raise account._refused(code)

    account.during = refuse
    assert verdict.main() == 0
    assert account.approved == {SESSION}
    assert "succeeded" in account.comment


def test_phases_that_end_meanwhile_are_no_change(verdict: ModuleType, account: Account) -> None:
    account.build("IN_PROGRESS")
    account.during = lambda count: account.builds[0]["phases"].append({"durationInSeconds": 1})
    assert verdict.main() == 0
    assert account.calls.count("update-comment") == 1


def test_a_refusal_is_one_sentence_with_a_remedy(
    verdict: ModuleType, account: Account, capsys: pytest.CaptureFixture[str]
) -> None:
    def denied(count: int) -> None:
        raise account._refused("AccessDeniedException")

    account.during = denied
    assert verdict.main() == 3
    said = capsys.readouterr().err.splitlines()
    assert said[0] == "No verdict: An error occurred (AccessDeniedException) when calling: no."
    assert "retry-build" in said[1]


def test_without_its_variables_it_says_which(
    verdict: ModuleType, account: Account, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("VERDICT_ROLE")
    assert verdict.main() == 2
    assert account.calls == []
    assert capsys.readouterr().err == "Set APP_NAME and VERDICT_ROLE.\n"


def test_the_first_failing_lines_are_shown(verdict: ModuleType, account: Account) -> None:
    account.build("FAILED")
    account.log = ["[Container] error of CodeBuild", "good", "", "\x1b[31m✖ adds\x1b[0m", "  expected 2"] + [
        "more"
    ] * 30
    verdict.main()
    block = account.comment.split("```")[1].splitlines()
    assert block[:3] == ["text", "✖ adds", "  expected 2"]
    assert len(block) == 16


def test_tests_that_pass_fail_nothing_whatever_their_names(comment: ModuleType) -> None:
    passing = ["  ✔ keeps the error of /boom out of the response (40 ms)", "ok 1 - failed orders are listed"]
    passing += ["test_api.py::test_error PASSED", "test_error (api.Tests) ... ok"]
    assert comment.failing_lines([*passing, "  ✖ adds (1 ms)", "more"]) == ["  ✖ adds (1 ms)", "more"]
    # ESLint names the file once.
    lint = ["/app/src/main.js", "  3:5  error  'x' is not defined  no-undef"]
    assert comment.failing_lines([*passing, *lint]) == lint
    # Node and pytest say why at the end.
    for reasons in ("✖ failing tests:", "===== FAILURES ====="):
        assert comment.failing_lines([*passing, "  ✖ adds (1 ms)", "more", reasons, "1 !== 2"]) == [reasons, "1 !== 2"]


def test_the_longest_comment_has_room(comment: ModuleType) -> None:
    lines = comment.failing_lines([f"error {'`' * 1_000}"] * 20)
    late = comment.Ended("TIMED_OUT", 5_999, "https://" + "l" * 260, "i" * 70)
    written = comment.text("i" * 70, "a" * 40, late, late, lines, "x" * 6_050)
    assert len(written) <= 10_240
    assert len(lines) == 15


def test_a_plan_that_cannot_be_read_is_no_plan_without_changes(verdict: ModuleType, account: Account) -> None:
    """As where its log comes late."""
    account.build("SUCCEEDED")
    account.plan_log = []
    verdict.main()
    assert "What it says could not be read: look at its log." in account.comment


def test_without_a_line_that_says_what_failed_the_last_ones_are_shown(verdict: ModuleType, account: Account) -> None:
    account.build("FAILED")
    account.log = [f"line {number}" for number in range(40)]
    verdict.main()
    assert account.comment.split("```")[1].splitlines()[1:] == [f"line {number}" for number in range(25, 40)]


@given(log=st.lists(st.text(st.characters() | st.sampled_from("`~*\x1b\n\r[<")), max_size=30))
def test_no_log_ends_its_block_or_makes_the_comment_too_long(log: list[str]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        import_from(patch, Path(__file__).parents[2] / "template/config/scripts")
        comment = importlib.import_module("verdict_comment")
    lines = comment.failing_lines([part for line in ["error ```` ** x", *log] for part in line.splitlines()])
    failed = comment.Ended("FAILED", 1, "https://l", "id")
    written = comment.text("verdict:1", "a" * 40, failed, comment.Ended(), lines, "x" * 6_100)
    assert len(written) <= 10_240
    opened, *inside = written.split("\n\n", 1)[1].splitlines()
    fence = opened.removesuffix("text")
    assert fence == "`" * len(fence)
    assert inside[: len(lines) + 1] == [*lines, fence]
    assert not any(fence in line for line in lines)
