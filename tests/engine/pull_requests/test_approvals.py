"""Approvals and approval rules of pull requests."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest
from botocore.exceptions import ClientError

from scaffold.local.services.pull_requests.pools import applies_to, is_member, is_satisfied
from tests.engine.conftest import Repository
from tests.engine.pull_requests.conftest import ACCOUNT, Person, branch
from tests.engine.pull_requests.test_requests import Create, Told, refused

MARY = f"arn:aws:sts::{ACCOUNT}:assumed-role/Review/mary"


def content(number: int = 1, *pool: str, references: tuple[str, ...] = ("refs/heads/main",)) -> str:
    statement: dict[str, Any] = {"Type": "Approvers", "NumberOfApprovalsNeeded": number}
    if pool:
        statement["ApprovalPoolMembers"] = pool
    wanted = {"DestinationReferences": references} if references else {}
    return json.dumps({"Version": "2018-11-08", **wanted, "Statements": [statement]})


@pytest.fixture
def template(codecommit: Any, name: str) -> Iterator[Callable[..., str]]:
    """Creates approval rule templates for the repository."""
    made: list[str] = []

    def create(kind: str, text: str) -> str:
        full = f"{name}-{kind}"
        codecommit.create_approval_rule_template(approvalRuleTemplateName=full, approvalRuleTemplateContent=text)
        codecommit.associate_approval_rule_template_with_repository(approvalRuleTemplateName=full, repositoryName=name)
        made.append(full)
        return full

    yield create
    for one in made:
        with suppress(ClientError):
            codecommit.disassociate_approval_rule_template_from_repository(
                approvalRuleTemplateName=one, repositoryName=name
            )
            codecommit.delete_approval_rule_template(approvalRuleTemplateName=one)


def revision(request: dict[str, Any]) -> dict[str, str]:
    return {"pullRequestId": request["pullRequestId"], "revisionId": request["revisionId"]}


def approve(by: Any, request: dict[str, Any], state: str = "APPROVE") -> None:
    by.update_pull_request_approval_state(**revision(request), approvalState=state)


def evaluated(by: Any, request: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = by.evaluate_pull_request_approval_rules(**revision(request))["evaluation"]
    return found


@pytest.mark.parametrize(
    ("member", "caller", "expected"),
    [
        (f"CodeCommitApprovers:{ACCOUNT}:mary", f"arn:aws:iam::{ACCOUNT}:user/mary", True),
        (f"CodeCommitApprovers:{ACCOUNT}:mary", f"arn:aws:sts::{ACCOUNT}:federated-user/mary", True),
        (f"CodeCommitApprovers:{ACCOUNT}:mary", MARY, False),
        (f"CodeCommitApprovers:{ACCOUNT}:*mary", MARY, True),
        (f"CodeCommitApprovers:{ACCOUNT}:Review/mary", MARY, True),
        (f"CodeCommitApprovers:{ACCOUNT}:Review/*", MARY, True),
        (f"CodeCommitApprovers:{ACCOUNT}:Review", MARY, False),
        ("CodeCommitApprovers:111111111111:Review/*", MARY, False),
        (MARY, MARY, True),
        (f"arn:aws:sts::{ACCOUNT}:assumed-role/Review/*", MARY, True),
        (f"arn:aws:sts::{ACCOUNT}:assumed-role/Review", MARY, True),
        (f"arn:aws:sts::{ACCOUNT}:assumed-role/Review/john", MARY, False),
        (f"arn:aws:sts::{ACCOUNT}:assumed-role/Rev", MARY, False),
        (f"arn:aws:sts::{ACCOUNT}:assumed-role/Other/*", MARY, False),
        (f"arn:aws:iam::{ACCOUNT}:role/Review", MARY, False),
    ],
)
def test_members_of_approval_pools(member: str, caller: str, expected: bool) -> None:
    assert is_member(caller, member) is expected


def test_only_approvals_from_the_pool_count_each_session_once() -> None:
    pool = f"arn:aws:sts::{ACCOUNT}:assumed-role/Review/*"
    john, other = MARY.replace("mary", "john"), MARY.replace("Review", "Other")
    assert not is_satisfied(content(2, pool), [MARY, MARY, other])
    assert is_satisfied(content(2, pool), [MARY, john])
    assert is_satisfied(content(2), [MARY, other])


def test_templates_apply_to_their_destinations() -> None:
    for references, expected in {
        (): True,
        ("refs/heads/main",): True,
        ("refs/heads/ma*",): True,
        ("refs/heads/dev", "refs/heads/main"): True,
        ("refs/heads/dev",): False,
    }.items():
        assert applies_to(content(references=references), "refs/heads/main") is expected


def test_a_pull_request_gets_the_rules_of_the_templates(
    codecommit: Any, name: str, request_of: Create, template: Callable[..., str]
) -> None:
    """At its creation: a template that is changed later does not matter."""
    review, _ = template("review", content(2)), template("other", content(references=("refs/heads/other",)))
    made = request_of()
    (rule,) = made["approvalRules"]
    assert (rule["approvalRuleName"], rule["approvalRuleContent"]) == (review, content(2))
    assert rule["originApprovalRuleTemplate"]["approvalRuleTemplateName"] == review
    codecommit.update_approval_rule_template_content(approvalRuleTemplateName=review, newRuleContent=content(5))
    template("later", content())
    again = codecommit.get_pull_request(pullRequestId=made["pullRequestId"])["pullRequest"]
    assert again["approvalRules"] == made["approvalRules"]
    assert evaluated(codecommit, made) == {
        "approved": False,
        "overridden": False,
        "approvalRulesSatisfied": [],
        "approvalRulesNotSatisfied": [review],
    }


def test_approvals_satisfy_rules_until_they_are_revoked_or_the_source_changes(
    codecommit: Any,
    repository: Repository,
    request_of: Create,
    template: Callable[..., str],
    person: Person,
    told: Told,
) -> None:
    checks = template("checks", content(1, f"arn:aws:sts::{ACCOUNT}:assumed-role/*-verdict/verdict"))
    review = template("review", content(2))
    made = request_of()
    mary, john, verdict = person("dev"), person("dev", "john"), person("verdict", "verdict")
    with refused("PullRequestCannotBeApprovedByAuthorException"):
        approve(codecommit, made)
    for one in (mary, john, john):
        approve(one, made)
    found = evaluated(codecommit, made)
    assert (found["approvalRulesSatisfied"], found["approvalRulesNotSatisfied"]) == ([review], [checks])
    approve(verdict, made)
    assert evaluated(codecommit, made)["approved"]
    approvals = codecommit.get_pull_request_approval_states(**revision(made))["approvals"]
    assert [one["userArn"].rpartition("-")[2] for one in approvals] == ["dev/mary", "dev/john", "verdict/verdict"]
    approve(person("verdict", "another"), made, "REVOKE")  # A session revokes its own approval only.
    assert evaluated(codecommit, made)["approved"]
    approve(verdict, made, "REVOKE")
    assert evaluated(codecommit, made)["approvalRulesNotSatisfied"] == [checks]

    branch(repository, "change", "Third")
    now = codecommit.get_pull_request(pullRequestId=made["pullRequestId"])["pullRequest"]
    assert evaluated(codecommit, now)["approvalRulesSatisfied"] == []
    assert codecommit.get_pull_request_approval_states(**revision(now))["approvals"] == []
    assert len(codecommit.get_pull_request_approval_states(**revision(made))["approvals"]) == 2
    with refused("RevisionNotCurrentException"):
        approve(mary, made)
    with refused("RevisionNotCurrentException"):
        evaluated(codecommit, made)
    with refused("InvalidRevisionIdException"):
        approve(mary, now | {"revisionId": "unknown"})
    with refused("InvalidApprovalStateException"):
        approve(mary, now, "MAYBE")
    codecommit.update_pull_request_status(pullRequestId=made["pullRequestId"], pullRequestStatus="CLOSED")
    with refused("PullRequestAlreadyClosedException"):
        approve(mary, now)
    changes = [one for one in told(7) if one["event"] == "pullRequestApprovalStateChanged"]
    assert [(one["callerUserArn"].rpartition("/")[2], one["approvalStatus"]) for one in changes] == [
        ("mary", "APPROVE"),
        ("john", "APPROVE"),
        ("verdict", "APPROVE"),
        ("verdict", "REVOKE"),
    ]


def test_rules_are_overridden_for_a_revision(
    codecommit: Any, request_of: Create, template: Callable[..., str], person: Person, told: Told
) -> None:
    template("review", content(2))
    made, lead = request_of(), person("lead")
    lead.override_pull_request_approval_rules(**revision(made), overrideStatus="OVERRIDE")
    with refused("OverrideAlreadySetException"):
        codecommit.override_pull_request_approval_rules(**revision(made), overrideStatus="OVERRIDE")
    found = codecommit.get_pull_request_override_state(**revision(made))
    assert (found["overridden"], found["overrider"].endswith("-lead/mary")) == (True, True)
    assert (evaluated(codecommit, made)["approved"], evaluated(codecommit, made)["overridden"]) == (True, True)
    lead.override_pull_request_approval_rules(**revision(made), overrideStatus="REVOKE")
    assert not codecommit.get_pull_request_override_state(**revision(made))["overridden"]
    assert not evaluated(codecommit, made)["approved"]
    assert [one["overrideStatus"] for one in told(3)[1:]] == ["OVERRIDE", "REVOKE"]


def test_calls_about_a_pull_request_need_permissions(
    codecommit: Any, name: str, request_of: Create, person: Person
) -> None:
    """On the repository, with the destination of a merge as a condition key."""
    repository = f"arn:aws:codecommit:us-east-1:{ACCOUNT}:{name}"
    allowed = {"Effect": "Allow", "Action": "codecommit:*", "Resource": repository}
    merging = {"Effect": "Deny", "Action": "codecommit:MergePullRequestBy*", "Resource": "*"}
    merging["Condition"] = {"StringEquals": {"codecommit:References": ["refs/heads/main"]}}  # type: ignore[assignment]
    made = request_of()
    other = person("other", "mary", "codecommit", {**allowed, "Resource": f"{repository}-other"})
    with pytest.raises(ClientError, match="not authorized to perform: codecommit:UpdatePullRequestApprovalState"):
        approve(other, made)
    with pytest.raises(ClientError, match="not authorized to perform: codecommit:CreatePullRequest"):
        request_of(other)
    with refused("PullRequestDoesNotExistException"):
        other.get_pull_request(pullRequestId="9999")
    mine = person("mine", "mary", "codecommit", allowed, merging)
    approve(mine, made)
    with pytest.raises(ClientError, match=r"MergePullRequestByFastForward .* with an explicit deny"):
        mine.merge_pull_request_by_fast_forward(pullRequestId=made["pullRequestId"], repositoryName=name)
