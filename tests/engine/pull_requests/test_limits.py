"""CodeCommit's quotas of pull requests, whose numbers are too large for requests over HTTP."""

from __future__ import annotations

from pathlib import Path

import pytest

from scaffold.local.protocol import Call, ServiceError
from scaffold.local.services.approval_rules import ApprovalRuleTemplates
from scaffold.local.services.pull_requests.approvals import ApprovalOperations
from scaffold.local.services.pull_requests.model import PullRequest
from scaffold.local.services.pull_requests.requests import PullRequestOperations
from scaffold.local.services.pull_requests.store import PullRequests
from scaffold.local.services.repositories import Repositories, Repository

REGION = "us-east-1"


@pytest.fixture
def repositories(tmp_path: Path) -> Repositories:
    made = Repositories(tmp_path)
    made.create(REGION, "shop")
    return made


def add(requests: PullRequests, repository: Repository) -> PullRequest:
    return requests.add(
        REGION,
        lambda number: PullRequest(
            identifier=number,
            repository=repository,
            author="arn:aws:iam::000000000000:root",
            title="A change",
            description="",
            source="refs/heads/change",
            destination="refs/heads/main",
            source_commit="2" * 40,
            destination_commit="1" * 40,
            merge_base="1" * 40,
            token="",
            rules=(),
        ),
    )


def test_at_most_a_thousand_pull_requests_are_open(repositories: Repositories) -> None:
    requests = PullRequests(lambda _: None)
    operations = PullRequestOperations(requests, repositories, ApprovalRuleTemplates(repositories))
    made = [add(requests, repositories.named(REGION, "shop")) for _ in range(1000)]
    target = {"repositoryName": "shop", "sourceReference": "change", "destinationReference": "main"}
    call = Call("CreatePullRequest", {"title": "One more", "targets": [target]}, REGION)
    with pytest.raises(ServiceError) as refused:
        operations.create_pull_request(call)
    assert refused.value.code == "MaximumOpenPullRequestsExceededException"
    requests.close(made[0], "arn:aws:iam::000000000000:root")
    with pytest.raises(ServiceError) as refused:
        operations.create_pull_request(call)
    assert refused.value.code == "ReferenceDoesNotExistException"  # The repository is empty.


def test_a_pull_request_has_at_most_two_hundred_approvals(repositories: Repositories) -> None:
    requests = PullRequests(lambda _: None)
    request = add(requests, repositories.named(REGION, "shop"))
    given = {"pullRequestId": request.identifier, "revisionId": request.revision.identifier}

    def update(user: int, state: str = "APPROVE") -> None:
        caller = f"arn:aws:iam::000000000000:user/{user}"
        call = Call("UpdatePullRequestApprovalState", {**given, "approvalState": state}, REGION, caller=caller)
        ApprovalOperations(requests).update_pull_request_approval_state(call)

    for user in range(200):
        update(user)
    with pytest.raises(ServiceError) as refused:
        update(200)
    assert refused.value.code == "MaximumNumberOfApprovalsExceededException"
    update(0)  # An approval that exists already.
    update(0, "REVOKE")
    update(200)
    assert len(request.revision.approvers) == 200
