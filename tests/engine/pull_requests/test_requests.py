"""Pull requests through CodeCommit's API: they are created, follow their branches, and are closed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.engine.conftest import Client, Repository
from tests.engine.pull_requests.conftest import Person, branch

Create = Callable[..., dict[str, Any]]
Told = Callable[..., list[dict[str, Any]]]


def refused(code: str) -> Any:
    return pytest.raises(ClientError, match=rf"\({code}\)")


def test_a_pull_request_is_created_described_and_listed(
    codecommit: Any, name: str, repository: Repository, request_of: Create, person: Person
) -> None:
    main, change = repository.git("rev-parse", "main"), repository.git("rev-parse", "change")
    made = request_of(description="Why", clientRequestToken="once")
    assert made["authorArn"] == "arn:aws:iam::000000000000:root"
    assert (made["title"], made["description"], made["pullRequestStatus"]) == ("A change", "Why", "OPEN")
    assert len(made["revisionId"]) == 64
    assert made["approvalRules"] == []
    (target,) = made["pullRequestTargets"]
    assert target == {
        "repositoryName": name,
        "sourceReference": "refs/heads/change",
        "destinationReference": "refs/heads/main",
        "sourceCommit": change,
        "destinationCommit": main,
        "mergeBase": main,
        "mergeMetadata": {"isMerged": False},
    }
    number = made["pullRequestId"]
    assert codecommit.get_pull_request(pullRequestId=number)["pullRequest"] == made
    assert request_of(description="Why", clientRequestToken="once") == made
    with refused("IdempotencyParameterMismatchException"):
        request_of(description="Another", clientRequestToken="once")

    other = request_of(person("dev"))
    assert other["authorArn"].endswith("-dev/mary")
    listed = {
        "all": codecommit.list_pull_requests(repositoryName=name),
        "mine": codecommit.list_pull_requests(repositoryName=name, authorArn=other["authorArn"]),
        "closed": codecommit.list_pull_requests(repositoryName=name, pullRequestStatus="CLOSED"),
        "first": codecommit.list_pull_requests(repositoryName=name, maxResults=1),
    }
    assert {key: one["pullRequestIds"] for key, one in listed.items()} == {
        "all": [number, other["pullRequestId"]],
        "mine": [other["pullRequestId"]],
        "closed": [],
        "first": [number],
    }
    rest = codecommit.list_pull_requests(repositoryName=name, nextToken=listed["first"]["nextToken"])
    assert rest["pullRequestIds"] == [other["pullRequestId"]]


def test_what_is_no_pull_request_is_refused(
    codecommit: Any, name: str, repository: Repository, request_of: Create
) -> None:
    repository.git("tag", "v1")
    repository.git("push", "--quiet", "origin", "v1")
    target = {"repositoryName": name, "sourceReference": "change", "destinationReference": "main"}

    def create(*targets: dict[str, str], **more: str) -> Any:
        return codecommit.create_pull_request(**{"title": "T", "targets": list(targets), **more})

    for code, targets in {
        "ReferenceDoesNotExistException": [{**target, "sourceReference": "nothing"}],
        "ReferenceTypeNotSupportedException": [{**target, "sourceReference": "refs/tags/v1"}],
        "SourceAndDestinationAreSameException": [{**target, "sourceReference": "refs/heads/main"}],
        "RepositoryDoesNotExistException": [{**target, "repositoryName": "nothing"}],
        "InvalidRepositoryNameException": [{**target, "repositoryName": "no name"}],
        "MultipleRepositoriesInPullRequestException": [target, {**target, "repositoryName": "other"}],
        "TargetsRequiredException": [],
    }.items():
        with refused(code):
            create(*targets)
    for code, title in {"TitleRequiredException": "", "InvalidTitleException": "a" * 151}.items():
        with refused(code):
            create(target, title=title)
    with refused("InvalidDescriptionException"):
        create(target, description="a" * 10_241)
    for code, number in {"InvalidPullRequestIdException": "one", "PullRequestDoesNotExistException": "9999"}.items():
        with refused(code):
            codecommit.get_pull_request(pullRequestId=number)
    with refused("InvalidPullRequestStatusException"):
        codecommit.list_pull_requests(repositoryName=name, pullRequestStatus="MERGED")
    with refused("InvalidMaxResultsException"):
        codecommit.list_pull_requests(repositoryName=name, maxResults=101)


def test_an_open_pull_request_is_edited_and_a_closed_one_is_not(codecommit: Any, request_of: Create) -> None:
    number = request_of()["pullRequestId"]
    codecommit.update_pull_request_title(pullRequestId=number, title="Better")
    found = codecommit.update_pull_request_description(pullRequestId=number, description="Why")["pullRequest"]
    assert (found["title"], found["description"]) == ("Better", "Why")
    for _ in range(2):
        closed = codecommit.update_pull_request_status(pullRequestId=number, pullRequestStatus="CLOSED")
        assert closed["pullRequest"]["pullRequestStatus"] == "CLOSED"
    with refused("InvalidPullRequestStatusUpdateException"):
        codecommit.update_pull_request_status(pullRequestId=number, pullRequestStatus="OPEN")
    with refused("PullRequestAlreadyClosedException"):
        codecommit.update_pull_request_title(pullRequestId=number, title="Later")
    with refused("PullRequestAlreadyClosedException"):
        codecommit.update_pull_request_description(pullRequestId=number, description="Later")


def test_a_push_to_the_source_begins_a_revision(
    codecommit: Any, repository: Repository, request_of: Create, told: Told
) -> None:
    made = request_of(description="Why")
    commit = branch(repository, "change", "Third", b="2\n")
    found = codecommit.get_pull_request(pullRequestId=made["pullRequestId"])["pullRequest"]
    assert found["revisionId"] != made["revisionId"]
    assert found["pullRequestTargets"][0]["sourceCommit"] == commit

    repository.git("checkout", "--quiet", "main")
    main = repository.push("Elsewhere", a="other\n")
    again = codecommit.get_pull_request(pullRequestId=made["pullRequestId"])["pullRequest"]
    assert again["revisionId"] == found["revisionId"]
    (target,) = again["pullRequestTargets"]
    assert target["destinationCommit"] == main
    assert target["mergeBase"] == made["pullRequestTargets"][0]["destinationCommit"]

    created, updated = told(2)
    root = "arn:aws:iam::000000000000:root"
    assert {key: created[key] for key in created if key not in ("creationDate", "lastModifiedDate")} == {
        "author": root,
        "callerUserArn": root,
        "description": "Why",
        "destinationCommit": made["pullRequestTargets"][0]["destinationCommit"],
        "destinationReference": "refs/heads/main",
        "event": "pullRequestCreated",
        "isMerged": "False",
        "notificationBody": created["notificationBody"],
        "pullRequestId": made["pullRequestId"],
        "pullRequestStatus": "Open",
        "repositoryNames": [target["repositoryName"]],
        "revisionId": made["revisionId"],
        "sourceCommit": made["pullRequestTargets"][0]["sourceCommit"],
        "sourceReference": "refs/heads/change",
        "title": "A change",
    }
    assert (updated["event"], updated["sourceCommit"]) == ("pullRequestSourceBranchUpdated", commit)
    assert updated["revisionId"] == found["revisionId"]


@pytest.mark.parametrize("deleted", ["change", "base"])
def test_a_pull_request_without_its_branch_is_closed(
    codecommit: Any, name: str, repository: Repository, told: Told, deleted: str
) -> None:
    repository.git("push", "--quiet", "origin", "main:base")
    target = {"repositoryName": name, "sourceReference": "change", "destinationReference": "base"}
    made = codecommit.create_pull_request(title="T", targets=[target])["pullRequest"]
    repository.git("push", "--quiet", "origin", f":{deleted}")
    found = codecommit.get_pull_request(pullRequestId=made["pullRequestId"])["pullRequest"]
    assert found["pullRequestStatus"] == "CLOSED"
    assert found["pullRequestTargets"][0]["mergeMetadata"] == {"isMerged": False}
    closed = told(2)[1]
    assert (closed["event"], closed["pullRequestStatus"], closed["isMerged"]) == (
        "pullRequestStatusChanged",
        "Closed",
        "False",
    )


def test_a_pushed_fast_forward_merge_closes_its_pull_request(
    codecommit: Any, repository: Repository, request_of: Create, told: Told
) -> None:
    """One with a merge commit does not."""
    made = request_of()
    repository.git("checkout", "--quiet", "-B", "merged", "main")
    repository.git("merge", "--quiet", "--no-ff", "-m", "Merge", "change")
    repository.git("push", "--quiet", "origin", "merged:main")
    kept = codecommit.get_pull_request(pullRequestId=made["pullRequestId"])["pullRequest"]
    assert kept["pullRequestStatus"] == "OPEN"

    change = branch(repository, "change", "Third")
    repository.git("push", "--quiet", "origin", "change:main")
    found = codecommit.get_pull_request(pullRequestId=made["pullRequestId"])["pullRequest"]
    assert found["pullRequestStatus"] == "CLOSED"
    (target,) = found["pullRequestTargets"]
    assert (target["sourceCommit"], target["destinationCommit"]) == (change, repository.git("rev-parse", "merged"))
    assert target["mergeMetadata"] == {
        "isMerged": True,
        "mergedBy": "arn:aws:iam::000000000000:root",
        "mergeOption": "FAST_FORWARD_MERGE",
    }
    merged = told(3)[2]
    assert (merged["event"], merged["isMerged"], merged["mergeOption"]) == (
        "pullRequestMergeStatusUpdated",
        "True",
        "FAST_FORWARD_MERGE",
    )


def test_the_pull_requests_of_a_deleted_repository_are_gone(
    client: Client, codecommit: Any, name: str, request_of: Create
) -> None:
    number = request_of()["pullRequestId"]
    codecommit.delete_repository(repositoryName=name)
    codecommit.create_repository(repositoryName=name)
    assert codecommit.list_pull_requests(repositoryName=name)["pullRequestIds"] == []
    with refused("PullRequestDoesNotExistException"):
        codecommit.get_pull_request(pullRequestId=number)
