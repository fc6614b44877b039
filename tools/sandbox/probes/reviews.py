"""Approvals of pull requests by sessions of a role."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from botocore.exceptions import ClientError

from ..account import code, said
from ..git import Repository
from ..registry import probe
from ..roles import allow, role, trust
from ..sandbox import Sandbox
from ..stacks import Stack, template
from ..state import TAG
from ..verdicts import Undecided, Verdict, decided

_PROPAGATION = 60.0
_BY_AUTHOR = "PullRequestCannotBeApprovedByAuthorException"


class _Review:
    """A pull request of one session of a role, whose rule has another session in its pool, and nobody else.

    Attributes:
        answers: What CodeCommit has said to an approval, by session; empty where it has accepted it.
        approvers: Whose approvals there are then.
        satisfied: Whether the rule is satisfied after the approval of a session.
    """

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox
        self.answers: dict[str, str] = {}
        self.satisfied: dict[str, bool] = {}
        repository = Repository.create(sandbox, "reviews")
        arn = sandbox.arn("codecommit", repository.name)
        owner = trust(arn=sandbox.arn("iam", "root", region=""))
        text = template(
            {"Role": role(owner, allow("codecommit:*", resource=arn))},
            Outputs={"Arn": {"Value": {"Fn::GetAtt": ["Role", "Arn"]}}, "Name": {"Value": {"Ref": "Role"}}},
        )
        self._role = Stack.create(sandbox, "reviewers", text, Capabilities=["CAPABILITY_IAM"]).outputs
        self._require(repository.name, self.session("named"))
        repository.commit("First", a__txt="a\n")
        repository.push()
        repository.commit("Second", a__txt="b\n")
        repository.push("HEAD:change")
        author = self._as("author")
        targets = [{"repositoryName": repository.name, "sourceReference": "change", "destinationReference": "main"}]
        # The permissions of a new role take a moment.
        made = sandbox.wait(
            lambda: _allowed(lambda: author.create_pull_request(title="Probe", targets=targets)), "the pull request", 60
        )["pullRequest"]
        self._request = {"pullRequestId": made["pullRequestId"], "revisionId": made["revisionId"]}
        for name in ("author", "other", "named"):
            self._approve(name)
        codecommit = sandbox.client("codecommit")
        approvals = codecommit.get_pull_request_approval_states(**self._request)["approvals"]
        self.approvers = {one["userArn"] for one in approvals if one["approvalState"] == "APPROVE"}

    def session(self, name: str) -> str:
        """The ARN of a session of the role."""
        return self._sandbox.arn("sts", f"assumed-role/{self._role['Name']}/{name}", region="")

    def _require(self, repository: str, member: str) -> None:
        codecommit, name = self._sandbox.client("codecommit"), self._sandbox.name("reviews")
        statement = {"Type": "Approvers", "NumberOfApprovalsNeeded": 1, "ApprovalPoolMembers": [member]}
        content = {"Version": "2018-11-08", "DestinationReferences": ["refs/heads/main"], "Statements": [statement]}
        self._sandbox.state.record("approval rule template", name, repositoryName=repository)
        codecommit.create_approval_rule_template(
            approvalRuleTemplateName=name,
            approvalRuleTemplateContent=json.dumps(content),
            approvalRuleTemplateDescription=f"{TAG} {self._sandbox.run}",
        )
        codecommit.associate_approval_rule_template_with_repository(
            approvalRuleTemplateName=name, repositoryName=repository
        )

    def _as(self, name: str) -> Any:
        sts, arn = self._sandbox.client("sts"), self._role["Arn"]
        answer = self._sandbox.wait(
            lambda: _allowed(lambda: sts.assume_role(RoleArn=arn, RoleSessionName=name)),
            "the assumption of a new role",
            _PROPAGATION,
        )
        return self._sandbox.account.assuming(answer["Credentials"]).client("codecommit")

    def _approve(self, name: str) -> None:
        client = self._as(name)
        try:
            client.update_pull_request_approval_state(**self._request, approvalState="APPROVE")
            self.answers[name] = ""
        except ClientError as error:
            self.answers[name] = said(error)
        found = self._sandbox.client("codecommit").evaluate_pull_request_approval_rules(**self._request)["evaluation"]
        self.satisfied[name] = bool(found["approvalRulesSatisfied"])


def _allowed(call: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """The answer of a call; empty while IAM denies it."""
    try:
        return call()
    except ClientError as error:
        if not code(error).startswith("AccessDenied"):
            raise
        return {}


@probe("session-is-approver")
def session_is_approver(sandbox: Sandbox) -> Verdict:
    """Approvals of a pull request by the session that has opened it, and by another one of the same role."""
    review = sandbox.once("review", lambda: _Review(sandbox))
    author, other = review.answers["author"], review.answers["other"]
    if author and _BY_AUTHOR not in author:
        raise Undecided(f"the author's approval was refused for another reason: {author}")
    evidence = f"the author's session: {author or 'accepted'}; another session of its role: {other or 'accepted'}"
    return decided(bool(author) and not other and review.session("other") in review.approvers, evidence)


@probe("session-in-pool")
def session_in_pool(sandbox: Sandbox) -> Verdict:
    """An approval rule whose pool has one session of a role, and approvals of it and of another session."""
    review = sandbox.once("review", lambda: _Review(sandbox))
    answers = "; ".join(f"{name}: {answer}" for name, answer in review.answers.items() if answer)
    if review.answers["other"] or review.answers["named"]:
        raise Undecided(f"sessions that are not the author's could not approve: {answers}")
    after = {name: "satisfied" if done else "not satisfied" for name, done in review.satisfied.items()}
    evidence = f"the rule is {after['other']} by another session, and {after['named']} by the one in its pool"
    return decided(not review.satisfied["other"] and review.satisfied["named"], evidence)
