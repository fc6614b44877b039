#!/usr/bin/env python3
"""Start tests and plans of pull requests, say in a comment on each how they ended, and approve it while they succeed.

    APP_NAME=orders-api VERDICT_ROLE=arn:... verdict.py

Each run judges all open pull requests to main, whatever has started it, so that the next one repairs what a lost event
has left. A verdict follows from what CodeCommit and CodeBuild say now, and is compared with what they say after it: of
several at once, the last to write has seen the newest state. Builds of an older commit are stopped. Exit codes: 0
given, or there is nothing to judge; 2 usage error; 3 AWS did not answer, or CodeBuild starts nothing.
"""

from __future__ import annotations

import os
import sys
from time import monotonic, sleep
from typing import Any

from aws_calls import call, pages
from aws_cli import Problem, Refused
from plan_comment import plan_text
from pull_requests import (
    KINDS,
    PLAN,
    STOPPED,
    SUCCEEDED,
    TESTS,
    Build,
    PullRequest,
    build_of,
    builds,
    open_requests,
    pull_request,
)
from verdict_comment import Ended, failing_lines, text

GIVEN, USAGE_ERROR, UNREAD = 0, 2, 3
SESSION = "verdict"
# The newest are judged, fewer than the builds that are read: otherwise their tests would start each other again.
MOST_REQUESTS = 50
# Each of them sees a change during the one before.
LOOKS = 10
# While CodeBuild starts no tests. Those of others take at most 45 minutes, and this build 60.
LONGEST_WAIT, PAUSE = 50 * 60, 30
LOG_PAGES = 10
# As many builds of this compute type run as the account may run at once.
LIMIT = "AccountLimitExceededException"
# What another verdict, or a person, has done meanwhile.
OVERTAKEN = {
    "CommentDeletedException",
    "IdempotencyParameterMismatchException",
    "PullRequestAlreadyClosedException",
    "RevisionNotCurrentException",
}


def assume(role: str) -> None:
    """Use the credentials of a role from now on, in the session that the approval rule names."""
    found = call("sts", "assume-role", RoleArn=role, RoleSessionName=SESSION)["Credentials"]
    names = {"AccessKeyId": "AWS_ACCESS_KEY_ID", "SecretAccessKey": "AWS_SECRET_ACCESS_KEY"}
    names["SessionToken"] = "AWS_SESSION_TOKEN"
    os.environ.update({variable: found[name] for name, variable in names.items()})


def judge(app: str, role: str) -> list[str]:
    """Give the verdicts, again while their reasons change, or while CodeBuild starts no tests.

    Returns:
        Why pull requests have no verdict. One of them prevents none of the others.

    Raises:
        Problem: An error of AWS concerns all of them, they change all the time, or CodeBuild starts no tests.
    """
    seen: dict[str, object] = {}
    failed: dict[str, str] = {}
    looks, end = 0, monotonic() + LONGEST_WAIT
    while looks < LOOKS:
        # The builds first: a build of a commit that is pushed after the pull request was read is then none of them.
        known = builds(app)
        opened = open_requests(app)
        requests = {number: pull_request(app, number) for number in opened[:MOST_REQUESTS]}
        stop(known, opened, requests)
        changed = waiting = delayed = running = False
        for number, request in requests.items():
            if request is None or number in failed:
                continue
            try:
                newest = {kind: newest_build(app, kind, request, known) for kind in KINDS}
                running |= any(one and one.running for one in newest.values())
                waiting |= newest[TESTS] is None
                delayed |= newest[PLAN] is None
                if number in seen and seen[number] == (request, newest):
                    continue
                changed = True
                seen.pop(number, None)
                approve(role, request, all(one and one.status == SUCCEEDED for one in newest.values()))
                comment(app, role, request, newest)
                seen[number] = (request, newest)
            except Refused as refused:
                if refused.code not in OVERTAKEN:
                    failed[number] = f"Pull request {number}: {refused.message}"
        # A plan that has to wait is started by the verdict at the end of what runs.
        waiting |= delayed and not running
        if not (changed or waiting):
            print(f"Open pull requests to main: {len(requests) - list(requests.values()).count(None)}.")
            return list(failed.values())
        looks += 1
        if waiting and not changed:
            if monotonic() > end:
                # The end of these starts the next verdict.
                if any(one.running for one in known):
                    return list(failed.values())
                raise Problem(f"CodeBuild has started nothing for {LONGEST_WAIT // 60} minutes")
            looks = 0
            sleep(PAUSE)
    raise Problem(f"the pull requests have changed {LOOKS} times meanwhile")


def stop(known: list[Build], opened: list[str], requests: dict[str, PullRequest | None]) -> None:
    """Stop the builds of closed pull requests, of those to other branches, and of older commits.

    Args:
        opened: The numbers of all open pull requests.
        requests: Those of them that are judged.
    """
    for build in known:
        request = requests.get(build.request)
        not_judged = build.request in opened and build.request not in requests
        if build.running and not not_judged and (request is None or build.commit != request.commit):
            call("codebuild", "stop-build", id=build.id)
            print(f"Stopped {build.id} of {build.commit}.")


def newest_build(app: str, kind: str, request: PullRequest, known: list[Build]) -> Build | None:
    """The newest build of a kind for the newest commit, started where there is none; None while CodeBuild starts none.

    A build that was stopped is started again where the branch has left the commit and come back to it, as the revision
    shows: the verdict has stopped it. One that a person stopped is not.
    """
    wanted = (kind, request.number, request.commit)
    of_commit = (one for one in known if (one.kind, one.request, one.commit) == wanted)
    newest = next(of_commit, None)
    if newest and (newest.status != STOPPED or newest.revision in ("", request.revision)):
        return newest
    variables = {"PULL_REQUEST": request.number, "REVISION": request.revision, "COMMIT": request.commit}
    # The tests run the pull request's files. The source of a plan is that of its project.
    source = {"sourceVersion": request.commit} if kind == TESTS else {}
    try:
        answer = call(
            "codebuild",
            "start-build",
            projectName=f"{app}-{kind}",
            **source,
            environmentVariablesOverride=[{"name": name, "value": value} for name, value in variables.items()],
            # Of two verdicts at once, the second gets the build of the first.
            idempotencyToken=f"{kind}-{request.number}-{request.revision}",
        )
    except Refused as refused:
        if refused.code != LIMIT:
            raise
        print(f"CodeBuild does not start {kind} of pull request {request.number} yet: {refused.message}")
        return None
    started = build_of(answer["build"], kind)
    print(f"Started {started.id} of {started.commit}.")
    return started


def approve(role: str, request: PullRequest, approved: bool) -> None:
    """Approve a revision of the pull request, or revoke the approval, where this is a change."""
    chosen = {"pullRequestId": request.number, "revisionId": request.revision}
    states = call("codecommit", "get-pull-request-approval-states", **chosen).get("approvals", [])
    given = {one["approvalState"] for one in states if one["userArn"].endswith(session(role))}
    if ("APPROVE" in given) is approved:
        return
    state = "APPROVE" if approved else "REVOKE"
    call("codecommit", "update-pull-request-approval-state", **chosen, approvalState=state)
    print(f"{state} of pull request {request.number} at {request.commit}.")


def session(role: str) -> str:
    """How the ARN of the verdict's session ends."""
    return f":assumed-role/{role.rpartition('/')[2]}/{SESSION}"


def comment(app: str, role: str, request: PullRequest, newest: dict[str, Build | None]) -> None:
    """Write the comment, which is one for the whole life of the pull request, where this is a change."""
    tests, plan = (_ended(newest[kind]) for kind in (TESTS, PLAN))
    lines = failing_lines(log(newest[TESTS])) if tests.failed else []
    changes = plan_text(log(newest[PLAN]), plan.id) if plan.ended else ""
    content = text(own_build(), request.commit, tests, plan, lines, changes)
    known, deleted = own_comments(role, request)
    identifier, written = known[0] if known else (post(app, request, deleted), "")
    if written != content:
        call("codecommit", "update-comment", commentId=identifier, content=content)


def own_build() -> str:
    """The id of the build that gives this verdict."""
    return os.environ.get("CODEBUILD_BUILD_ID", "ID")


def _ended(build: Build | None) -> Ended:
    return Ended(build.status, build.seconds, build.link, build.id) if build else Ended()


def own_comments(role: str, request: PullRequest) -> tuple[list[tuple[str, str]], int]:
    """Id and content of the comments of earlier verdicts, and how many of them people have deleted."""
    known: list[tuple[str, str]] = []
    deleted = 0
    listed = pages("codecommit", "get-comments-for-pull-request", pullRequestId=request.number)
    threads = (thread for page in listed for thread in page.get("commentsForPullRequestData", []))
    for one in (said for thread in threads for said in thread.get("comments", [])):
        if one.get("authorArn", "").endswith(session(role)):
            deleted += bool(one.get("deleted"))
            known += [] if one.get("deleted") else [(one["commentId"], one.get("content", ""))]
    return known, deleted


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


def log(build: Build | None) -> list[str]:
    """The lines of a build's log, or its first ones; none if it has no log."""
    group, stream = build.log if build else ("", "")
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
    if not (app and role):
        print("Set APP_NAME and VERDICT_ROLE.", file=sys.stderr)
        return USAGE_ERROR
    try:
        assume(role)
        problems = judge(app, role)
    except Problem as problem:
        problems = [str(problem).partition(";")[0]]
    for one in problems:
        print(f"No verdict: {one}.", file=sys.stderr)
    if problems:
        print(f"Start this build again: `aws codebuild retry-build --id {own_build()}`.", file=sys.stderr)
        return UNREAD
    return GIVEN


if __name__ == "__main__":
    sys.exit(main())
