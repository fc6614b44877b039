"""Comments on pull requests and on the comparison of commits."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable
from contextlib import suppress

from scaffold.core.git_failures import GitFailed
from scaffold.local.protocol import Call, Document, ServiceError
from scaffold.local.services.codecommit_events import comment_changed
from scaffold.local.services.pull_requests.model import Comment
from scaffold.local.services.pull_requests.pages import page
from scaffold.local.services.pull_requests.store import PullRequests
from scaffold.local.services.pull_requests.tokens import Tokens
from scaffold.local.services.repositories import Repositories, Repository

_MOST_CHARACTERS = 10_240
_MOST_RESULTS = 500
_COMMIT_ID = re.compile(r"[0-9a-f]{40}")


class CommentOperations:
    """The operations."""

    def __init__(self, requests: PullRequests, repositories: Repositories) -> None:
        self._requests = requests
        self._repositories = repositories
        self._tokens = {True: Tokens(), False: Tokens()}

    def post_comment_for_pull_request(self, call: Call) -> Document:
        """Comment on a pull request, which may be closed."""
        repository = self._associated(call)
        if call.parameters["beforeCommitId"] == call.parameters["afterCommitId"]:
            raise ServiceError(
                "BeforeCommitIdAndAfterCommitIdAreSameException", "The before and the after commit must be different"
            )
        return self._post(call, repository, call.parameters["pullRequestId"])

    def post_comment_for_compared_commit(self, call: Call) -> Document:
        """Comment on a commit, or on the comparison of two."""
        return self._post(call, self._repositories.named(call.region, call.parameters["repositoryName"]), "")

    def get_comment(self, call: Call) -> Document:
        """Describe a comment."""
        return {"comment": self._comment(call.region, call.parameters["commentId"]).document()}

    def update_comment(self, call: Call) -> Document:
        """Replace the content of a comment of the caller."""
        comment = self._comment(call.region, call.parameters["commentId"])
        if comment.author != call.caller:
            raise ServiceError(
                "CommentNotCreatedByCallerException", "You cannot modify a comment that you have not created"
            )
        comment.content, comment.modified = _content(call), time.time()
        self._tell(comment, call.caller, "Updated")
        return {"comment": comment.document()}

    def get_comments_for_pull_request(self, call: Call) -> Document:
        """List the comments on a pull request, or on one comparison in it, the oldest first."""
        given = call.parameters
        self._requests.named(call.region, given["pullRequestId"])
        compared = [name for name in ("beforeCommitId", "afterCommitId") if name in given]
        if compared and "repositoryName" not in given:
            raise ServiceError("RepositoryNameRequiredException", "A repository name is required with commits")
        if "repositoryName" in given:
            self._associated(call)
            if len(compared) < 2:
                raise ServiceError("CommitIdRequiredException", "Both commits are required with a repository name")
        found = [one for one in self._of(call.region) if one.number == given["pullRequestId"]]
        return _page("commentsForPullRequestData", _compared(found, given), call)

    def get_comments_for_compared_commit(self, call: Call) -> Document:
        """List the comments on a commit, or on the comparison of two, the oldest first."""
        given = call.parameters
        repository = self._repositories.named(call.region, given["repositoryName"])
        found = [one for one in self._of(call.region) if one.repository is repository and not one.number]
        return _page("commentsForComparedCommitData", _compared(found, given), call)

    def _post(self, call: Call, repository: Repository, number: str) -> Document:
        if "location" in call.parameters:
            raise ServiceError(
                "LocalAwsNotImplemented", "Local AWS has no comments on lines of files; real AWS has them."
            )
        identifier = self._tokens[bool(number)].once(call, lambda: self._made(call, repository, number))
        comment = self._comment(call.region, identifier)
        return {**comment.place, "comment": comment.document()}

    def _made(self, call: Call, repository: Repository, number: str) -> str:
        given = call.parameters
        before, after = given.get("beforeCommitId", ""), given["afterCommitId"]
        for commit in filter(None, (before, after)):
            _check_commit(repository, commit)
        token = given.get("clientRequestToken", "")
        made = Comment(repository, before, after, number, call.caller, _content(call), token)
        self._requests.comments[call.region, made.identifier] = made
        self._tell(made, call.caller, "Created")
        return made.identifier

    def _associated(self, call: Call) -> Repository:
        """The repository that is named, if it is that of the pull request."""
        repository = self._repositories.named(call.region, call.parameters["repositoryName"])
        return self._requests.associated(call.region, call.parameters["pullRequestId"], repository).repository

    def _comment(self, region: str, identifier: str) -> Comment:
        found = self._requests.comments.get((region, identifier))
        if found is None:
            raise ServiceError("CommentDoesNotExistException", "No comment exists with the provided ID")
        return found

    def _of(self, region: str) -> list[Comment]:
        return [one for (place, _), one in self._requests.comments.items() if place == region]

    def _tell(self, comment: Comment, caller: str, change: str) -> None:
        self._requests.publish(comment_changed(comment, caller, change))


def _content(call: Call) -> str:
    content = str(call.parameters["content"])
    if not content:
        raise ServiceError("CommentContentRequiredException", "The content of a comment is required")
    if len(content) > _MOST_CHARACTERS:
        raise ServiceError(
            "CommentContentSizeLimitExceededException", f"A comment has at most {_MOST_CHARACTERS:,} characters"
        )
    return content


def _check_commit(repository: Repository, commit: str) -> None:
    if not _COMMIT_ID.fullmatch(commit):
        raise ServiceError("InvalidCommitIdException", f"{commit} is not a full commit ID")
    with suppress(GitFailed):
        repository.git("cat-file", "-e", f"{commit}^{{commit}}")
        return
    raise ServiceError("CommitDoesNotExistException", f"{commit} does not exist")


def _compared(comments: Iterable[Comment], given: Document) -> list[Comment]:
    """The comments on the commits that a request names."""
    return [
        one
        for one in comments
        if given.get("beforeCommitId", one.before) == one.before and given.get("afterCommitId", one.after) == one.after
    ]


def _page(key: str, found: list[Comment], call: Call) -> Document:
    return page(key, [{**one.place, "comments": [one.document()]} for one in found], call, _MOST_RESULTS)
