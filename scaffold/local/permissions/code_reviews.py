"""The permissions that calls about pull requests and comments need: on the repository, which few of them name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from scaffold.local.permissions.api_requests import ApiRequest
from scaffold.local.permissions.needs import Need
from scaffold.local.protocol import ACCOUNT

_BY_TARGETS = "CreatePullRequest"
_MERGES = frozenset({"MergePullRequestByFastForward", "MergePullRequestBySquash", "MergePullRequestByThreeWay"})
_BY_NUMBER_OR_COMMENT = _MERGES | {
    "EvaluatePullRequestApprovalRules",
    "GetComment",
    "GetCommentsForPullRequest",
    "GetPullRequest",
    "GetPullRequestApprovalStates",
    "GetPullRequestOverrideState",
    "OverridePullRequestApprovalRules",
    "PostCommentForPullRequest",
    "UpdateComment",
    "UpdatePullRequestApprovalState",
    "UpdatePullRequestDescription",
    "UpdatePullRequestStatus",
    "UpdatePullRequestTitle",
}


@dataclass(frozen=True)
class Reviewed:
    """What a pull request or a comment belongs to.

    Attributes:
        destination: The full name of the branch that a pull request is to be merged into; empty for a comment.
    """

    repository: str
    destination: str = ""


#: Finds the pull request or comment that a call names, by the call's region and parameters; None if there is none.
FindReviewed = Callable[[str, Mapping[str, Any]], Reviewed | None]


def review_needs(request: ApiRequest, find: FindReviewed) -> list[Need] | None:
    """The permissions that a request needs; None if it is none about pull requests or comments.

    A request that names what does not exist needs none: CodeCommit answers with its error.
    """
    operation, given = request.operation, request.parameters
    if request.service != "codecommit":
        return None
    if operation == _BY_TARGETS:
        targets = given.get("targets")
        names = [str(one.get("repositoryName")) for one in targets if isinstance(one, dict)] if targets else []
        return [_need(operation, name, request.region) for name in names]
    if operation not in _BY_NUMBER_OR_COMMENT:
        return None
    found = find(request.region, given)
    if found is None:
        return []
    need = _need(operation, found.repository, request.region)
    references = {"codecommit:References": found.destination} if operation in _MERGES else {}
    return [Need(need.action, need.resource, references)]


def _need(operation: str, repository: str, region: str) -> Need:
    return Need(f"codecommit:{operation}", f"arn:aws:codecommit:{region}:{ACCOUNT}:{repository}")
