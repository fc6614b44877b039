"""Comments on pull requests and commits."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.engine.conftest import Repository
from tests.engine.pull_requests.conftest import Person
from tests.engine.pull_requests.test_requests import Create, Told, refused


def commits(request: dict[str, Any]) -> dict[str, str]:
    """What names the comparison of a pull request."""
    (target,) = request["pullRequestTargets"]
    return {
        "repositoryName": target["repositoryName"],
        "beforeCommitId": target["destinationCommit"],
        "afterCommitId": target["sourceCommit"],
    }


def test_a_comment_is_posted_updated_and_listed(
    codecommit: Any, request_of: Create, person: Person, told: Told
) -> None:
    made, verdict = request_of(), person("verdict", "verdict")
    number, compared = {"pullRequestId": made["pullRequestId"]}, commits(made)
    posted = verdict.post_comment_for_pull_request(**number, **compared, content="Red", clientRequestToken="once")
    again = verdict.post_comment_for_pull_request(**number, **compared, content="Red", clientRequestToken="once")
    comment = posted["comment"]
    assert again["comment"] == comment
    with refused("IdempotencyParameterMismatchException"):
        verdict.post_comment_for_pull_request(**number, **compared, content="Green", clientRequestToken="once")
    assert {key: posted[key] for key in ("pullRequestId", *compared)} == number | compared
    assert (comment["content"], comment["deleted"]) == ("Red", False)
    assert comment["authorArn"].endswith("-verdict/verdict")

    for another in (codecommit, person("verdict", "another")):
        with refused("CommentNotCreatedByCallerException"):
            another.update_comment(commentId=comment["commentId"], content="Blue")
    verdict.update_comment(commentId=comment["commentId"], content="Green")
    found = codecommit.get_comment(commentId=comment["commentId"])["comment"]
    assert (found["content"], found["creationDate"]) == ("Green", comment["creationDate"])

    codecommit.update_pull_request_status(**number, pullRequestStatus="CLOSED")
    codecommit.post_comment_for_pull_request(**number, **compared, content="Closed")
    listed = codecommit.get_comments_for_pull_request(**number)["commentsForPullRequestData"]
    assert [[one["content"] for one in thread["comments"]] for thread in listed] == [["Green"], ["Closed"]]
    assert codecommit.get_comments_for_pull_request(**number, **compared)["commentsForPullRequestData"] == listed
    first = codecommit.get_comments_for_pull_request(**number, maxResults=1)
    rest = codecommit.get_comments_for_pull_request(**number, nextToken=first["nextToken"])
    assert first["commentsForPullRequestData"] + rest["commentsForPullRequestData"] == listed
    events = told(3, "CodeCommit Comment on Pull Request")
    assert [one["event"] for one in events] == [
        f"commentOnPullRequest{kind}" for kind in ("Created", "Updated", "Created")
    ]
    assert (events[0]["pullRequestId"], events[0]["commentId"]) == (made["pullRequestId"], comment["commentId"])


def test_a_commit_is_commented_on(codecommit: Any, name: str, repository: Repository, told: Told) -> None:
    after, before = repository.git("rev-parse", "change"), repository.git("rev-parse", "main")
    place = {"repositoryName": name, "afterCommitId": after}
    codecommit.post_comment_for_compared_commit(**place, content="Alone")
    codecommit.post_comment_for_compared_commit(**place, beforeCommitId=before, content="Compared")

    def listed(**given: str) -> list[str]:
        found = codecommit.get_comments_for_compared_commit(**place, **given)["commentsForComparedCommitData"]
        return [thread["comments"][0]["content"] for thread in found]

    assert listed() == ["Alone", "Compared"]
    assert listed(beforeCommitId=before) == ["Compared"]
    assert [one["event"] for one in told(2, "CodeCommit Comment on Commit")] == ["commentOnCommitCreated"] * 2


def test_what_is_no_comment_is_refused(codecommit: Any, request_of: Create) -> None:
    made = request_of()
    given = {"pullRequestId": made["pullRequestId"], **commits(made), "content": "c"}
    codecommit.create_repository(repositoryName=f"{given['repositoryName']}-2")
    for code, wrong in {
        "CommentContentRequiredException": {"content": ""},
        "CommentContentSizeLimitExceededException": {"content": "a" * 10_241},
        "BeforeCommitIdAndAfterCommitIdAreSameException": {"beforeCommitId": given["afterCommitId"]},
        "InvalidCommitIdException": {"beforeCommitId": "main"},
        "CommitDoesNotExistException": {"beforeCommitId": "0" * 40},
        "RepositoryDoesNotExistException": {"repositoryName": "nothing"},
        "RepositoryNotAssociatedWithPullRequestException": {"repositoryName": f"{given['repositoryName']}-2"},
        "PullRequestDoesNotExistException": {"pullRequestId": "9999"},
    }.items():
        with refused(code):
            codecommit.post_comment_for_pull_request(**{**given, **wrong})
    with refused("CommentDoesNotExistException"):
        codecommit.update_comment(commentId="unknown", content="c")
    with refused("RepositoryNameRequiredException"):
        codecommit.get_comments_for_pull_request(
            pullRequestId=made["pullRequestId"], beforeCommitId=given["beforeCommitId"]
        )
    with refused("CommitIdRequiredException"):
        codecommit.get_comments_for_pull_request(
            pullRequestId=made["pullRequestId"], repositoryName=given["repositoryName"]
        )
    with pytest.raises(ClientError, match="Local AWS has no comments on lines"):
        codecommit.post_comment_for_pull_request(**given, location={"filePath": "a"})
