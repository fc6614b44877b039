#!/usr/bin/env python3
"""Say in a comment on a pull request how its tests ended, and approve it while they succeed.

    APP_NAME=orders-api VERDICT_ROLE=arn:... PULL_REQUEST=7 verdict.py
    APP_NAME=orders-api VERDICT_ROLE=arn:... BUILD_ID=... verdict.py       of the pull request that a build tests

The verdict follows from what CodeCommit and CodeBuild say now, whatever has started it, and is compared with what they
say after it: of several verdicts at once, the last to write has seen the newest state. Tests of an older commit are
stopped. Exit codes: 0 given, or there is nothing to judge; 2 usage error; 3 AWS did not answer.
"""

from __future__ import annotations

import os
import re
import sys
from dataclasses import dataclass
from typing import Any

from aws_cli import Problem, Refused
from plan_aws import call
from verdict_comment import failing_lines, text

GIVEN, USAGE_ERROR, UNREAD = 0, 2, 3
SESSION = "verdict"
DESTINATION = "refs/heads/main"
# Each of them sees a change during the one before.
LOOKS = 10
LOG_PAGES = 10
RUNNING = "IN_PROGRESS"
# What another verdict, or a person, has done meanwhile.
OVERTAKEN = {
    "IdempotencyParameterMismatchException",
    "PullRequestAlreadyClosedException",
    "RevisionNotCurrentException",
}


@dataclass(frozen=True)
class PullRequest:
    """An open pull request to main.

    Attributes:
        revision: What an approval applies to; it differs after each push to the branch.
        commit: The newest commit of the branch.
        destination: The commit of main that it is compared with.
    """

    number: str
    revision: str
    commit: str
    destination: str


@dataclass(frozen=True)
class Build:
    """A build that tests a pull request.

    Attributes:
        seconds: How long it took; zero while it is running.
        log: Log group and log stream, as CodeBuild names them.
    """

    id: str
    commit: str
    status: str
    seconds: int
    link: str
    log: tuple[str, str]

    @property
    def running(self) -> bool:
        """Whether it has not ended."""
        return self.status == RUNNING


def assume(role: str) -> None:
    """Use the credentials of a role from now on, in the session that the approval rule names."""
    found = call("sts", "assume-role", RoleArn=role, RoleSessionName=SESSION)["Credentials"]
    names = {"AccessKeyId": "AWS_ACCESS_KEY_ID", "SecretAccessKey": "AWS_SECRET_ACCESS_KEY"}
    names["SessionToken"] = "AWS_SESSION_TOKEN"
    os.environ.update({variable: found[name] for name, variable in names.items()})


def pull_request(app: str, number: str) -> PullRequest | None:
    """A pull request; None where it is closed, or none to main of this service."""
    found = call("codecommit", "get-pull-request", pullRequestId=number)["pullRequest"]
    # CodeCommit's pull requests have one target.
    (target,) = found["pullRequestTargets"]
    wanted = ("OPEN", app, DESTINATION)
    if (found["pullRequestStatus"], target["repositoryName"], target["destinationReference"]) != wanted:
        return None
    return PullRequest(number, found["revisionId"], target["sourceCommit"], target["destinationCommit"])


def tested_by(build: str) -> str:
    """The number of the pull request that a build tests; empty if it tests none."""
    for found in call("codebuild", "batch-get-builds", ids=[build]).get("builds", []):
        return _number(found)
    return ""


def builds(app: str, number: str) -> list[Build]:
    """The builds that test a pull request, the newest first, as far as the project's last 100 are some."""
    ids = call("codebuild", "list-builds-for-project", projectName=f"{app}-pr-tests").get("ids", [])
    if not ids:
        return []
    found = call("codebuild", "batch-get-builds", ids=ids).get("builds", [])
    described = {one["id"]: _build(one) for one in found if _number(one) == number}
    return [described[one] for one in ids if one in described]


def _number(build: dict[str, Any]) -> str:
    variables = build.get("environment", {}).get("environmentVariables", [])
    given = {one["name"]: one["value"] for one in variables}.get("PULL_REQUEST", "")
    return given if re.fullmatch("[0-9]+", given) else ""


def _build(found: dict[str, Any]) -> Build:
    logs, status = found.get("logs", {}), found["buildStatus"]
    seconds = sum(phase.get("durationInSeconds", 0) for phase in found.get("phases", []))
    return Build(
        found["id"],
        found.get("sourceVersion", ""),
        status,
        0 if status == RUNNING else seconds,
        logs.get("deepLink", ""),
        (logs.get("groupName", ""), logs.get("streamName", "")),
    )


def judge(app: str, role: str, number: str) -> None:
    """Give the verdict, again while its reasons change.

    Raises:
        Problem: AWS returned an error, or they change all the time.
    """
    seen: object = None
    for _ in range(LOOKS):
        request, known = pull_request(app, number), builds(app, number)
        stop(known, request.commit if request else "")
        if request is None:
            print(f"Pull request {number} is closed, or not to main: nothing to judge.")
            return
        newest = next((one for one in known if one.commit == request.commit), None)
        if seen == (seen := (request, newest)):
            return
        try:
            approve(request, newest is not None and newest.status == "SUCCEEDED")
            comment(app, role, request, newest)
        except Refused as refused:
            if refused.code not in OVERTAKEN:
                raise
            seen = None
    raise Problem(f"pull request {number} has changed {LOOKS} times meanwhile")


def stop(known: list[Build], commit: str) -> None:
    """Stop the builds that test another commit."""
    for build in known:
        if build.running and build.commit != commit:
            call("codebuild", "stop-build", id=build.id)
            print(f"Stopped {build.id}, which tests {build.commit}.")


def approve(request: PullRequest, approved: bool) -> None:
    """Approve a revision of the pull request, or revoke the approval."""
    state = "APPROVE" if approved else "REVOKE"
    chosen = {"pullRequestId": request.number, "revisionId": request.revision}
    call("codecommit", "update-pull-request-approval-state", **chosen, approvalState=state)
    print(f"{state} of pull request {request.number} at {request.commit}.")


def comment(app: str, role: str, request: PullRequest, build: Build | None) -> None:
    """Write the comment, which is one for the whole life of the pull request."""
    failed = build is not None and build.status not in (RUNNING, "SUCCEEDED")
    lines = failing_lines(log(build)) if build and failed else []
    status, seconds, link = (build.status, build.seconds, build.link) if build else ("", 0, "")
    content = text(request.commit, status, seconds, link, build.id if build else "", lines)
    known, deleted = own_comments(role, request)
    identifier = known[0] if known else post(app, request, deleted)
    call("codecommit", "update-comment", commentId=identifier, content=content)


def own_comments(role: str, request: PullRequest) -> tuple[list[str], int]:
    """The ids of the comments of earlier verdicts, and how many of them people have deleted."""
    author = f":assumed-role/{role.rpartition('/')[2]}/{SESSION}"
    known, deleted = [], 0
    page: dict[str, Any] = {}
    while True:
        chosen = {"pullRequestId": request.number, **page}
        answer = call("codecommit", "get-comments-for-pull-request", **chosen)
        for thread in answer.get("commentsForPullRequestData", []):
            for one in thread.get("comments", []):
                if one.get("authorArn", "").endswith(author):
                    deleted += bool(one.get("deleted"))
                    known += [] if one.get("deleted") else [one["commentId"]]
        if not answer.get("nextToken"):
            return known, deleted
        page = {"nextToken": answer["nextToken"]}


def post(app: str, request: PullRequest, deleted: int) -> str:
    """A new comment. Of two verdicts at once, the second gets that of the first, or is refused, by the same token."""
    answer = call(
        "codecommit",
        "post-comment-for-pull-request",
        pullRequestId=request.number,
        repositoryName=app,
        beforeCommitId=request.destination,
        afterCommitId=request.commit,
        content="The pull request is being tested.",
        clientRequestToken=f"verdict-{request.number}-{deleted}",
    )
    return str(answer["comment"]["commentId"])


def log(build: Build) -> list[str]:
    """The lines of a build's log, or its first ones; none if it has no log."""
    group, stream = build.log
    if not (group and stream):
        return []
    lines: list[str] = []
    page: dict[str, Any] = {}
    for _ in range(LOG_PAGES):
        chosen = {"logGroupName": group, "logStreamName": stream, "startFromHead": True, **page}
        try:
            answer = call("logs", "get-log-events", **chosen)
        except Refused as refused:
            if refused.code != "ResourceNotFoundException":
                raise
            return lines
        lines += [line for event in answer.get("events", []) for line in event["message"].splitlines()]
        token = answer.get("nextForwardToken")
        if token in (None, page.get("nextToken")):
            break
        page = {"nextToken": token}
    return lines


def main() -> int:
    app, role = os.environ.get("APP_NAME", ""), os.environ.get("VERDICT_ROLE", "")
    number, build = os.environ.get("PULL_REQUEST", ""), os.environ.get("BUILD_ID", "")
    if not (app and role) or bool(number) is bool(build):
        print("Set APP_NAME, VERDICT_ROLE, and either PULL_REQUEST or BUILD_ID.", file=sys.stderr)
        return USAGE_ERROR
    try:
        assume(role)
        number = number or tested_by(build)
        if number:
            judge(app, role, number)
        else:
            print(f"{build} tests no pull request: nothing to judge.")
    except Problem as problem:
        print(f"No verdict: {str(problem).partition(';')[0]}.", file=sys.stderr)
        own = os.environ.get("CODEBUILD_BUILD_ID", "ID")
        print(f"Start this build again: `aws codebuild retry-build --id {own}`.", file=sys.stderr)
        return UNREAD
    return GIVEN


if __name__ == "__main__":
    sys.exit(main())
