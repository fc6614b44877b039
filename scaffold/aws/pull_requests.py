"""The pull requests that move the branches of environments."""

from __future__ import annotations

from typing import Any

from botocore.exceptions import ClientError

from scaffold.aws.errors import code_of
from scaffold.aws.session import Session
from scaffold.core.errors import ScaffoldError
from scaffold.service import names

# What the caller's approval adds nothing to.
_NEEDS_NO_APPROVAL = {"PullRequestCannotBeApprovedByAuthorException", "PullRequestAlreadyClosedException"}
_MOVED = {
    "ManualMergeRequiredException",
    "RevisionNotCurrentException",
    "TipOfSourceReferenceIsDifferentException",
}


def merge(session: Session, app_name: str, number: str, commit: str) -> None:
    """Approve a pull request and merge it by fast-forward. One that is merged already stays as it is.

    Args:
        commit: What it has to lead to.

    Raises:
        ScaffoldError: It was closed, needs more approvals, or no longer leads to the commit from where its branch is.
    """
    client = session.client("codecommit")
    found = client.get_pull_request(pullRequestId=number)["pullRequest"]
    try:
        if found["pullRequestStatus"] == "OPEN":
            _approve(client, number, found["revisionId"])
            client.merge_pull_request_by_fast_forward(
                pullRequestId=number, repositoryName=names.repository(app_name), sourceCommitId=commit
            )
            return
    except ClientError as error:
        code = code_of(error)
        if code == "PullRequestApprovalRulesNotSatisfiedException":
            raise ScaffoldError(
                f"Pull request {number} needs more approvals than yours, which is recorded.",
                "Let another reviewer run the same command; the release waits.",
            ) from error
        if code in _MOVED:
            raise ScaffoldError(
                f"Pull request {number} no longer leads its branch to commit {commit[:7]} by a fast-forward.",
                "`scaffold status` shows where the branch is and which release waits.",
            ) from error
        if code != "PullRequestAlreadyClosedException":
            raise
        found = client.get_pull_request(pullRequestId=number)["pullRequest"]
    if not found["pullRequestTargets"][0].get("mergeMetadata", {}).get("isMerged"):
        raise ScaffoldError(
            f"Pull request {number} was closed, which rejects the release.",
            "`scaffold status` shows what the pipeline is doing.",
        )


def close(session: Session, number: str) -> None:
    """Close a pull request. One that is closed stays so."""
    try:
        session.client("codecommit").update_pull_request_status(pullRequestId=number, pullRequestStatus="CLOSED")
    except ClientError as error:
        if code_of(error) != "PullRequestAlreadyClosedException":
            raise


def override_rules(session: Session, number: str) -> None:
    """Let a pull request be merged without the approvals that its rules ask for."""
    client = session.client("codecommit")
    revision = client.get_pull_request(pullRequestId=number)["pullRequest"]["revisionId"]
    client.override_pull_request_approval_rules(pullRequestId=number, revisionId=revision, overrideStatus="OVERRIDE")


def _approve(client: Any, number: str, revision: str) -> None:
    try:
        client.update_pull_request_approval_state(pullRequestId=number, revisionId=revision, approvalState="APPROVE")
    except ClientError as error:
        if code_of(error) not in _NEEDS_NO_APPROVAL:
            raise
