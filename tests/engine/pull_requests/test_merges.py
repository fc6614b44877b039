"""Pull requests that are merged through CodeCommit's API."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.engine.conftest import Repository
from tests.engine.pull_requests.conftest import Person, branch
from tests.engine.pull_requests.test_approvals import approve, content, template
from tests.engine.pull_requests.test_requests import Create, Told, refused

__all__ = ["template"]

WAYS = ("fast_forward", "squash", "three_way")


def merge(by: Any, request: dict[str, Any], way: str, **more: Any) -> dict[str, Any]:
    (target,) = request["pullRequestTargets"]
    given = {"pullRequestId": request["pullRequestId"], "repositoryName": target["repositoryName"], **more}
    found: dict[str, Any] = getattr(by, f"merge_pull_request_by_{way}")(**given)["pullRequest"]
    return found


def fetched(repository: Repository, *format_: str) -> str:
    """The tip of main in CodeCommit: its id, or what a format says of it."""
    repository.git("fetch", "--quiet", "origin", "main")
    return repository.git("log", "-1", f"--format={format_[0] if format_ else '%H'}", "FETCH_HEAD")


def elsewhere(repository: Repository, **files: str) -> str:
    """Push another commit to main."""
    repository.git("checkout", "--quiet", "main")
    return repository.push("Elsewhere", **files)


def test_a_fast_forward_merge_moves_the_destination(
    codecommit: Any, name: str, request_of: Create, repository: Repository, person: Person, told: Told
) -> None:
    made = request_of()
    (before,) = made["pullRequestTargets"]
    merged = merge(person("dev"), made, "fast_forward", sourceCommitId=before["sourceCommit"])
    assert merged["pullRequestStatus"] == "CLOSED"
    (target,) = merged["pullRequestTargets"]
    metadata = target.pop("mergeMetadata")
    assert target == {key: value for key, value in before.items() if key != "mergeMetadata"}
    assert (metadata["isMerged"], metadata["mergeOption"]) == (True, "FAST_FORWARD_MERGE")
    assert metadata["mergedBy"].endswith("-dev/mary")
    assert fetched(repository) == before["sourceCommit"]
    with refused("PullRequestAlreadyClosedException"):
        merge(codecommit, made, "fast_forward")
    event = told(2)[1]
    assert (event["event"], event["pullRequestStatus"], event["isMerged"]) == (
        "pullRequestMergeStatusUpdated",
        "Closed",
        "True",
    )
    (pushed,) = told(1, "CodeCommit Repository State Change")
    assert (pushed["event"], pushed["referenceName"]) == ("referenceUpdated", "main")
    assert (pushed["oldCommitId"], pushed["commitId"]) == (before["destinationCommit"], before["sourceCommit"])
    assert pushed["mergeOption"] == "FAST_FORWARD_MERGE"


@pytest.mark.slow
def test_squash_and_three_way_merges_add_a_commit(
    codecommit: Any, request_of: Create, repository: Repository, told: Told
) -> None:
    main = elsewhere(repository, a="0\n2\n3\n")
    for way, option in (("squash", "SQUASH_MERGE"), ("three_way", "THREE_WAY_MERGE")):
        change = branch(repository, "change", "More", **{f"{way}.txt": "c\n"})
        repository.git("checkout", "--quiet", "main")
        main = elsewhere(repository, **{f"main-{way}": "m\n"})
        made = request_of()
        with refused("ManualMergeRequiredException"):
            merge(codecommit, made, "fast_forward")
        merged = merge(codecommit, made, way, commitMessage=way, authorName="Mary", email="mary@example.com")
        metadata = merged["pullRequestTargets"][0]["mergeMetadata"]
        assert (metadata["mergeOption"], metadata["mergeCommitId"]) == (option, fetched(repository))
        parents = main if way == "squash" else f"{main} {change}"
        assert fetched(repository, "%P|%an|%ae|%s") == f"{parents}|Mary|mary@example.com|{way}"
        files = repository.git("ls-tree", "--name-only", "FETCH_HEAD").split()
        assert {f"{way}.txt", f"main-{way}"} <= set(files)
        assert repository.git("show", "FETCH_HEAD:a") == "0\n2\n3"
        repository.git("merge", "--quiet", "--ff-only", "FETCH_HEAD")
    updates = told(7, "CodeCommit Repository State Change")
    assert [one["mergeOption"] for one in updates if "mergeOption" in one] == ["SQUASH_MERGE", "THREE_WAY_MERGE"]


def test_conflicts_are_those_of_files_or_of_lines(codecommit: Any, request_of: Create, repository: Repository) -> None:
    branch(repository, "change", "Third", a="1\n2\nthree\n")
    elsewhere(repository, a="one\n2\n3\n")
    made = request_of()
    with refused("ManualMergeRequiredException"):
        merge(codecommit, made, "three_way")
    merge(codecommit, made, "three_way", conflictDetailLevel="LINE_LEVEL")
    fetched(repository)
    assert repository.git("show", "FETCH_HEAD:a") == "one\n2\nthree"

    repository.git("merge", "--quiet", "--ff-only", "FETCH_HEAD")
    branch(repository, "change", "Fourth", a="1\n2\n3\n")
    elsewhere(repository, a="uno\n2\n3\n")
    again = request_of()
    with refused("ManualMergeRequiredException"):
        merge(codecommit, again, "squash", conflictDetailLevel="LINE_LEVEL")
    for more in ({"conflictResolutionStrategy": "ACCEPT_SOURCE"}, {"keepEmptyFolders": True}):
        with pytest.raises(ClientError, match="real AWS does"):
            merge(codecommit, again, "squash", **more)


def test_a_merge_without_the_approvals_that_rules_ask_for_is_refused(
    codecommit: Any, request_of: Create, template: Callable[..., str], person: Person
) -> None:
    template("review", content())
    made, mary = request_of(), person("dev")
    for way in WAYS:
        with refused("PullRequestApprovalRulesNotSatisfiedException"):
            merge(codecommit, made, way)
    approve(mary, made)
    assert merge(codecommit, made, "squash")["pullRequestStatus"] == "CLOSED"


def test_a_merge_of_something_else_than_the_caller_knows_is_refused(
    codecommit: Any, name: str, request_of: Create, repository: Repository
) -> None:
    made = request_of()
    (target,) = made["pullRequestTargets"]
    branch(repository, "change", "Third")
    codecommit.create_repository(repositoryName=f"{name}-2")
    for way in WAYS:
        with refused("TipOfSourceReferenceIsDifferentException"):
            merge(codecommit, made, way, sourceCommitId=target["sourceCommit"])
        with refused("RepositoryNotAssociatedWithPullRequestException"):
            merge(codecommit, made, way, repositoryName=f"{name}-2")


def test_a_merge_updates_the_other_pull_requests_of_its_destination(codecommit: Any, request_of: Create) -> None:
    first, second = request_of(), request_of()
    merged = merge(codecommit, first, "squash")["pullRequestTargets"][0]["mergeMetadata"]["mergeCommitId"]
    found = codecommit.get_pull_request(pullRequestId=second["pullRequestId"])["pullRequest"]
    assert found["pullRequestTargets"][0]["destinationCommit"] == merged
    assert (found["pullRequestStatus"], found["revisionId"]) == ("OPEN", second["revisionId"])
