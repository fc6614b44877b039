"""The API of approvals: callers approve a revision, and rules say whether it has enough approvals."""

from __future__ import annotations

from scaffold.local.protocol import Call, Document, ServiceError
from scaffold.local.services.pull_requests.model import PullRequest, Revision
from scaffold.local.services.pull_requests.pools import is_satisfied
from scaffold.local.services.pull_requests.store import PullRequests

_MOST_APPROVALS = 200


class ApprovalOperations:
    """The operations."""

    def __init__(self, requests: PullRequests) -> None:
        self._requests = requests

    def update_pull_request_approval_state(self, call: Call) -> Document:
        """Approve the current revision, or revoke the caller's own approval of it."""
        request, revision, state = self._open(call), self._current(call), call.parameters["approvalState"]
        approvers = revision.approvers
        if (state == "APPROVE") == (call.caller in approvers):
            return {}
        if state == "APPROVE":
            _check_approver(request, call.caller)
        (approvers.append if state == "APPROVE" else approvers.remove)(call.caller)
        what = f"A user has changed their approval state for the pull request. State change: {state}."
        self._tell(request, "pullRequestApprovalStateChanged", call.caller, what, approvalStatus=state)
        return {}

    def get_pull_request_approval_states(self, call: Call) -> Document:
        """List the approvals of a revision."""
        approvers = self._revision(call).approvers
        return {"approvals": [{"userArn": one, "approvalState": "APPROVE"} for one in approvers]}

    def evaluate_pull_request_approval_rules(self, call: Call) -> Document:
        """Say whether the current revision can be merged."""
        self._current(call)
        return {"evaluation": evaluation(self._named(call))}

    def override_pull_request_approval_rules(self, call: Call) -> Document:
        """Set the rules aside for the current revision, or apply them again."""
        request, revision, status = self._open(call), self._current(call), call.parameters["overrideStatus"]
        if status == "OVERRIDE" and revision.overrider:
            raise ServiceError("OverrideAlreadySetException", "The approval rules are overridden already")
        if status == "REVOKE" and not revision.overrider:
            return {}
        revision.overrider = call.caller if status == "OVERRIDE" else ""
        what = (
            f"An override event has occurred for the approval rules for this pull request. Override status: {status}."
        )
        self._tell(request, "pullRequestApprovalRuleOverridden", call.caller, what, overrideStatus=status)
        return {}

    def get_pull_request_override_state(self, call: Call) -> Document:
        """Say whether the rules are set aside for a revision, and by whom."""
        overrider = self._revision(call).overrider
        return {"overridden": bool(overrider), **({"overrider": overrider} if overrider else {})}

    def _tell(self, request: PullRequest, event: str, caller: str, what: str, **more: str) -> None:
        number = f"User: {caller}. Event: Updated. Pull request name: {request.identifier}."
        self._requests.tell(request, event, caller, f"{number} Additional information: {what}", **more)

    def _named(self, call: Call) -> PullRequest:
        return self._requests.named(call.region, call.parameters["pullRequestId"])

    def _open(self, call: Call) -> PullRequest:
        return self._requests.open_one(call.region, call.parameters["pullRequestId"])

    def _revision(self, call: Call) -> Revision:
        found = self._named(call).revisions.get(call.parameters["revisionId"])
        if found is None:
            raise ServiceError("InvalidRevisionIdException", "The pull request has no revision with this ID")
        return found

    def _current(self, call: Call) -> Revision:
        found = self._revision(call)
        if found is not self._named(call).revision:
            raise ServiceError("RevisionNotCurrentException", "The pull request has a newer revision")
        return found


def evaluation(request: PullRequest) -> Document:
    """Whether the current revision has the approvals that the rules ask for, in the form of the API."""
    revision = request.revision
    satisfied = [rule.name for rule in request.rules if is_satisfied(rule.content, revision.approvers)]
    missing = [rule.name for rule in request.rules if rule.name not in satisfied]
    return {
        "approved": not missing or bool(revision.overrider),
        "overridden": bool(revision.overrider),
        "approvalRulesSatisfied": satisfied,
        "approvalRulesNotSatisfied": missing,
    }


def _check_approver(request: PullRequest, caller: str) -> None:
    if caller == request.author:
        raise ServiceError(
            "PullRequestCannotBeApprovedByAuthorException", "You cannot approve a pull request that you created"
        )
    if len(request.revision.approvers) >= _MOST_APPROVALS:
        raise ServiceError(
            "MaximumNumberOfApprovalsExceededException", f"A pull request has at most {_MOST_APPROVALS} approvals"
        )
