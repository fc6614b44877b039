"""All pull requests, and what happens to them when branches change."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any

from scaffold.local.permissions.code_reviews import Reviewed
from scaffold.local.protocol import Document, ServiceError
from scaffold.local.services.codecommit_events import Publish, pull_request_changed, reference_changed
from scaffold.local.services.pull_requests.history import merge_base, was_fast_forwarded
from scaffold.local.services.pull_requests.model import Comment, Merge, PullRequest
from scaffold.local.services.repositories import Repository


class PullRequests:
    """The pull requests of all regions, which number them.

    Args:
        publish: Takes the events.
    """

    def __init__(self, publish: Publish) -> None:
        self.publish = publish
        #: The comments, also those on commits only, by region and id.
        self.comments: dict[tuple[str, str], Comment] = {}
        self._all: dict[tuple[str, str], PullRequest] = {}
        self._numbers: dict[str, int] = {}

    def add(self, region: str, make: Callable[[str], PullRequest]) -> PullRequest:
        """Create one.

        Args:
            make: Takes its number.
        """
        self._numbers[region] = self._numbers.get(region, 0) + 1
        number = str(self._numbers[region])
        made = self._all[region, number] = make(number)
        return made

    def find(self, region: str, number: str) -> PullRequest | None:
        """A pull request by its number."""
        return self._all.get((region, number))

    def named(self, region: str, number: str) -> PullRequest:
        """A pull request by its number.

        Raises:
            ServiceError: There is none, or this is no number.
        """
        if not number.isdecimal():
            raise ServiceError("InvalidPullRequestIdException", f"{number} is not a valid pull request ID")
        found = self.find(region, number)
        if found is None:
            raise ServiceError("PullRequestDoesNotExistException", f"{number} does not exist")
        return found

    def open_one(self, region: str, number: str) -> PullRequest:
        """An open pull request by its number.

        Raises:
            ServiceError: There is none, or it is closed.
        """
        found = self.named(region, number)
        if not found.is_open:
            raise ServiceError("PullRequestAlreadyClosedException", f"Pull request {number} is closed")
        return found

    def associated(self, region: str, number: str, repository: Repository) -> PullRequest:
        """A pull request by its number and its repository.

        Raises:
            ServiceError: There is none, or it is one of another repository.
        """
        found = self.named(region, number)
        if found.repository is not repository:
            raise ServiceError(
                "RepositoryNotAssociatedWithPullRequestException",
                f"Pull request {number} is not one of the repository {repository.name}",
            )
        return found

    def reviewed(self, region: str, given: Mapping[str, Any]) -> Reviewed | None:
        """What the pull request or comment that a call names belongs to."""
        found = self.find(region, str(given.get("pullRequestId", "")))
        if found:
            return Reviewed(found.repository.name, found.destination)
        comment = self.comments.get((region, str(given.get("commentId", ""))))
        return Reviewed(comment.repository.name) if comment else None

    def of(self, repository: Repository) -> list[PullRequest]:
        """The pull requests of a repository, the oldest first."""
        return [one for one in self._all.values() if one.repository is repository]

    def forget(self, repository: Repository) -> None:
        """Delete the pull requests and comments of a repository that is deleted."""
        self.comments = {key: one for key, one in self.comments.items() if one.repository is not repository}
        self._all = {key: one for key, one in self._all.items() if one.repository is not repository}

    def tell(self, request: PullRequest, event: str, caller: str, what: str, **more: str) -> None:
        """Publish an event of a pull request, which has just been changed."""
        request.last_activity = time.time()
        self.publish(pull_request_changed(request, event, caller, what, **more))

    def close(self, request: PullRequest, caller: str, merge: Merge | None = None) -> None:
        """Close a pull request, and publish the event."""
        request.is_open, request.merge = False, merge
        number = f"{caller} updated the following PullRequest {request.identifier}."
        if merge is None:
            status = "The pull request status has been updated. The status is closed."
            self.tell(request, "pullRequestStatusChanged", caller, f"{number} {status}")
        else:
            status = "The pull request merge status has been updated. The status is merged."
            more = {"mergeOption": merge.option}
            self.tell(request, "pullRequestMergeStatusUpdated", caller, f"{number} {status}", **more)

    def references_changed(
        self, repository: Repository, caller: str, merges: Mapping[str, Document] = MappingProxyType({})
    ) -> None:
        """Look at the references of a repository again, and publish what has changed.

        Args:
            caller: The ARN of who has changed them.
            merges: What the event of a reference says of its merge, by the full name of the reference.
        """
        by_name = {change["referenceFullName"]: change for change in repository.reference_changes()}
        for name, change in by_name.items():
            self.publish(reference_changed(repository, change | merges.get(name, {}), caller))
        for request in self._open(repository):
            if request.source in by_name or request.destination in by_name:
                self._follow(request, by_name.get(request.source), by_name.get(request.destination), caller)

    def _open(self, repository: Repository) -> Iterator[PullRequest]:
        return (one for one in self.of(repository) if one.is_open)

    def _follow(self, request: PullRequest, source: Document | None, destination: Document | None, caller: str) -> None:
        """Update a pull request whose source or destination has changed."""
        if any(change and "commitId" not in change for change in (source, destination)):
            self.close(request, caller)
            return
        before = request.destination_commit
        after = destination["commitId"] if destination else before
        if source:
            request.source_commit = source["commitId"]
            request.add_revision()
        if was_fast_forwarded(request.repository, before, after, request.source_commit):
            self.close(request, caller, Merge("FAST_FORWARD_MERGE", caller))
            return
        request.destination_commit = after
        request.merge_base = merge_base(request.repository, after, request.source_commit)
        if source:
            branch = request.source.removeprefix("refs/heads/")
            what = (
                f"User: {caller}. Event: Updated. The user updated the following pull request: {request.identifier}. "
                f"The pull request was updated with one or more commits to the source branch: {branch}."
            )
            self.tell(request, "pullRequestSourceBranchUpdated", caller, what)
