"""The API of merges: a pull request is merged into its destination, and closed.

https://docs.aws.amazon.com/codecommit/latest/userguide/how-to-merge-pull-request.html
"""

from __future__ import annotations

from scaffold.core.git_failures import GitFailed
from scaffold.local.protocol import Call, Document, ServiceError
from scaffold.local.services.pull_requests.approvals import evaluation
from scaffold.local.services.pull_requests.history import contains
from scaffold.local.services.pull_requests.model import Merge, PullRequest
from scaffold.local.services.pull_requests.store import PullRequests
from scaffold.local.services.pull_requests.trees import merged_tree
from scaffold.local.services.repositories import Repositories


class MergeOperations:
    """The operations."""

    def __init__(self, requests: PullRequests, repositories: Repositories) -> None:
        self._requests = requests
        self._repositories = repositories

    def merge_pull_request_by_fast_forward(self, call: Call) -> Document:
        """Move the destination to the source, which contains it."""
        request = self._mergeable(call)
        if not contains(request.repository, request.source_commit, request.destination_commit):
            raise _manual(request)
        return self._merge(call, request, "FAST_FORWARD_MERGE", request.source_commit)

    def merge_pull_request_by_squash(self, call: Call) -> Document:
        """Add one commit to the destination, with all changes of the source."""
        return self._merge_trees(call, "SQUASH_MERGE", with_source=False)

    def merge_pull_request_by_three_way(self, call: Call) -> Document:
        """Add a merge commit to the destination."""
        return self._merge_trees(call, "THREE_WAY_MERGE", with_source=True)

    def _mergeable(self, call: Call) -> PullRequest:
        """The pull request of a call, if it is open, as the caller knows it, and approved."""
        given = call.parameters
        repository = self._repositories.named(call.region, given["repositoryName"])
        self._requests.associated(call.region, given["pullRequestId"], repository)
        request = self._requests.open_one(call.region, given["pullRequestId"])
        if given.get("sourceCommitId", request.source_commit) != request.source_commit:
            raise ServiceError(
                "TipOfSourceReferenceIsDifferentException",
                f"The tip of the source branch is {request.source_commit}, not {given['sourceCommitId']}",
            )
        if not evaluation(request)["approved"]:
            raise ServiceError(
                "PullRequestApprovalRulesNotSatisfiedException",
                "The pull request cannot be merged because one or more approval rules have conditions that have not "
                "been met",
            )
        return request

    def _merge_trees(self, call: Call, option: str, *, with_source: bool) -> Document:
        given = call.parameters
        _check_rehearsed(given)
        request = self._mergeable(call)
        level = given.get("conflictDetailLevel", "FILE_LEVEL")
        tree = merged_tree(
            request.repository, request.destination_commit, request.source_commit, by_lines=level == "LINE_LEVEL"
        )
        if tree is None:
            raise _manual(request)
        parents = [request.destination_commit, *([request.source_commit] if with_source else [])]
        name = given.get("authorName") or call.caller.rpartition(":")[2].rpartition("/")[2]
        identity = {"NAME": name, "EMAIL": given.get("email", "")}
        commit = request.repository.git(
            *("commit-tree", tree, "-m", given.get("commitMessage") or f"Merge pull request {request.identifier}"),
            *(word for parent in parents for word in ("-p", parent)),
            **{f"GIT_{role}_{key}": value for role in ("AUTHOR", "COMMITTER") for key, value in identity.items()},
        )
        how = {"conflictDetailsLevel": level, "conflictResolutionStrategy": "NONE"}
        return self._merge(call, request, option, commit, **how)

    def _merge(self, call: Call, request: PullRequest, option: str, commit: str, **how: str) -> Document:
        """Move the destination, close the pull request, and publish both."""
        before = request.destination_commit
        try:
            request.repository.git("update-ref", request.destination, commit, before)
        except GitFailed as error:
            raise ServiceError(
                "ConcurrentReferenceUpdateException", f"{request.destination} was updated in the meantime"
            ) from error
        merge = {
            **({"baseCommitId": request.merge_base} if request.merge_base else {}),
            "sourceCommitId": request.source_commit,
            "destinationCommitId": before,
            "mergeOption": option,
            **how,
        }
        fast_forward = commit == request.source_commit
        self._requests.close(request, call.caller, Merge(option, call.caller, "" if fast_forward else commit))
        self._requests.references_changed(request.repository, call.caller, {request.destination: merge})
        return {"pullRequest": request.document()}


def _check_rehearsed(given: Document) -> None:
    if given.get("conflictResolutionStrategy", "NONE") != "NONE" or given.get("conflictResolution"):
        raise ServiceError("LocalAwsNotImplemented", "Local AWS does not resolve conflicts; real AWS does.")
    if given.get("keepEmptyFolders"):
        raise ServiceError("LocalAwsNotImplemented", "Local AWS keeps no empty folders; real AWS does.")


def _manual(request: PullRequest) -> ServiceError:
    return ServiceError(
        "ManualMergeRequiredException",
        f"Pull request {request.identifier} cannot be merged automatically into {request.destination}",
    )
