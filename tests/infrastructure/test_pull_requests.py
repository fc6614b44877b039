"""The roles of pull requests: the code of one can change nothing, and nothing but the verdict's session approves."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from scaffold.aws.service_quotas import BUILDS
from scaffold.service import names, project_names
from tests.infrastructure.iam import allowed, boundary_of, roles_of, statements_of
from tests.infrastructure.rules import every
from tests.infrastructure.stacks import ACCOUNT, REGION, Stack, Stacks, as_list, one

APP = "hello-service"
REPOSITORY = f"arn:aws:codecommit:{REGION}:{ACCOUNT}:{APP}"
PROJECT = f"arn:aws:codebuild:{REGION}:{ACCOUNT}:project/{APP}"
LOG = f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:/{APP}/pipeline"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/{APP}/delivery"
TESTS = """codebuild:BatchPutTestCases codebuild:CreateReport codebuild:CreateReportGroup codebuild:UpdateReport
codecommit:GitPull ecr-public:GetAuthorizationToken logs:CreateLogStream logs:PutLogEvents sts:GetServiceBearerToken"""
VERDICT_BUILD = "codecommit:GitPull logs:CreateLogStream logs:PutLogEvents sts:AssumeRole"
VERDICT = """codebuild:BatchGetBuilds codebuild:ListBuildsForProject codebuild:StartBuild codebuild:StopBuild
codecommit:GetCommentsForPullRequest codecommit:GetPullRequest codecommit:GetPullRequestApprovalStates
codecommit:ListPullRequests codecommit:PostCommentForPullRequest codecommit:UpdateComment
codecommit:UpdatePullRequestApprovalState logs:GetLogEvents"""


@pytest.fixture(scope="module")
def stack(stacks_of: Callable[..., Stacks]) -> Stack:
    return stacks_of()[f"{APP}-pull-requests"]


@pytest.mark.parametrize(
    ("role", "actions"),
    [
        ("TestsRole", TESTS),
        ("VerdictBuildRole", VERDICT_BUILD),
        ("VerdictRole", VERDICT),
        ("StartRole", "codebuild:StartBuild"),
    ],
)
def test_each_role_has_these_permissions_and_no_other(stack: Stack, role: str, actions: str) -> None:
    found = sorted(action for one in statements_of(stack, role) for action in as_list(one["Action"]))
    assert found == actions.split()
    assert all(one["Effect"] == "Allow" for one in statements_of(stack, role))


def test_they_have_them_on_their_own_resources_only(stack: Stack) -> None:
    """Beside signing in to public.ecr.aws, which lets images be pulled."""
    expected = {
        "TestsRole": [
            ("codecommit:GitPull", REPOSITORY),
            ("logs:PutLogEvents", f"{LOG}/pr-tests:log-stream:x"),
            ("codebuild:CreateReport", f"arn:aws:codebuild:{REGION}:{ACCOUNT}:report-group/{APP}-pr-tests-unit-tests"),
        ],
        "VerdictBuildRole": [
            ("codecommit:GitPull", REPOSITORY),
            ("logs:PutLogEvents", f"{LOG}/pr-verdict:log-stream:x"),
            ("sts:AssumeRole", f"{ROLE}/{APP}-pr-verdict"),
        ],
        "VerdictRole": [
            ("codecommit:UpdatePullRequestApprovalState", REPOSITORY),
            ("codebuild:StartBuild", f"{PROJECT}-pr-tests"),
            ("codebuild:StopBuild", f"{PROJECT}-pr-tests"),
            ("logs:GetLogEvents", f"{LOG}/pr-tests:log-stream:x"),
            ("codebuild:StartBuild", f"{PROJECT}-pr-plan"),
            ("codebuild:StopBuild", f"{PROJECT}-pr-plan"),
            ("logs:GetLogEvents", f"{LOG}/pr-plan:log-stream:x"),
        ],
        "StartRole": [("codebuild:StartBuild", f"{PROJECT}-pr-verdict")],
    }
    for role, calls in expected.items():
        statements = statements_of(stack, role)
        for action, resource in calls:
            assert allowed(statements, action, resource), (role, action)
            assert not allowed(statements, action, resource.replace(APP, f"{APP}-two")), (role, action)
        named = [one for statement in statements for one in as_list(statement["Resource"])]
        unnamed = [s["Action"] for s in statements if "*" in as_list(s["Resource"])]
        assert len(named) == len([one for one in named if APP in one]) + len(unnamed)
        assert unnamed == (
            [["ecr-public:GetAuthorizationToken", "sts:GetServiceBearerToken"]] if role == "TestsRole" else []
        )
    assert not allowed(statements_of(stack, "VerdictRole"), "logs:GetLogEvents", f"{LOG}/build:log-stream:x")
    for other in ("build", "checks", "plan", "gate"):
        assert not allowed(statements_of(stack, "StartRole"), "codebuild:StartBuild", f"{PROJECT}-{other}")
        for action in ("StartBuild", "StopBuild"):
            assert not allowed(statements_of(stack, "VerdictRole"), f"codebuild:{action}", f"{PROJECT}-{other}")


def test_the_boundary_lets_the_roles_of_pull_requests_do_all_of_it(
    stack: Stack, stacks_of: Callable[..., Stacks]
) -> None:
    """And no role of the delivery push, or assume a role that is not among them."""
    limit = boundary_of(stacks_of()[f"{APP}-permissions"])
    for role in roles_of(stack):
        for statement in statements_of(stack, role):
            for action in as_list(statement["Action"]):
                for resource in as_list(statement["Resource"]):
                    assert allowed(limit, action, resource.replace("*", "x")), (role, action)
    for action in (
        "GitPush",
        "CreateCommit",
        "MergePullRequestBySquash",
        "DeleteBranch",
        "OverridePullRequestApprovalRules",
    ):
        # The first call of a push names no reference and changes none.
        assert not allowed(limit, f"codecommit:{action}", REPOSITORY, {"codecommit:References": "refs/heads/main"})
    assert not allowed(limit, "sts:AssumeRole", f"arn:aws:iam::{ACCOUNT}:role/{APP}/deploy/{APP}-prod-deploy")


def test_only_the_verdicts_build_assumes_its_role_in_the_session_that_the_approval_rule_names(
    stack: Stack, generated: Callable[..., Path]
) -> None:
    role = roles_of(stack)["VerdictRole"]
    (trusted,) = role["AssumeRolePolicyDocument"]["Statement"]
    assert trusted["Principal"] == {"AWS": stack.resolve({"Fn::GetAtt": ["VerdictBuildRole", "Arn"]})}
    assert trusted["Condition"] == {"StringEquals": {"sts:RoleSessionName": "verdict"}}
    assert role["RoleName"] == names.verdict_role(APP)
    rule = json.loads((generated() / "config/policies/approval-rule-checks.json").read_text())
    (statement,) = rule["Statements"]
    session = f"assumed-role/{role['RoleName']}/{trusted['Condition']['StringEquals']['sts:RoleSessionName']}"
    assert statement["ApprovalPoolMembers"] == [f"arn:${{AWS::Partition}}:sts::${{AWS::AccountId}}:{session}"]
    projects = dict(stack.of_type("AWS::CodeBuild::Project"))
    assert [one for one in projects if projects[one]["ServiceRole"] == trusted["Principal"]["AWS"]] == [
        "VerdictProject"
    ]


def test_no_other_role_of_the_service_approves_or_comments(stacks_of: Callable[..., Stacks]) -> None:
    for owner, logical, _ in every(stacks_of(), "AWS::IAM::Role"):
        if (owner.kind, logical) != ("pull-requests", "VerdictRole"):
            for action in ("UpdatePullRequestApprovalState", "PostCommentForPullRequest", "UpdateComment"):
                assert not allowed(statements_of(owner, logical), f"codecommit:{action}", REPOSITORY), logical


def test_both_buildspecs_are_of_the_stack_and_the_verdicts_source_is_the_deployed_commit(stack: Stack) -> None:
    projects: dict[str, Any] = dict(stack.of_type("AWS::CodeBuild::Project"))
    for project in projects.values():
        assert yaml.safe_load(project["Source"]["BuildSpec"])["version"] == 0.2
        assert project["Source"]["Type"] == "CODECOMMIT"
        assert project["Source"]["Location"].endswith(f"/v1/repos/{APP}")
        assert project["Artifacts"] == {"Type": "NO_ARTIFACTS"}
        assert "Cache" not in project
    assert (
        projects["VerdictProject"]["SourceVersion"] == names.UNKNOWN_DIGEST
    )  # until a deployer says which commit it is
    assert "SourceVersion" not in projects["TestsProject"]
    assert "PrivilegedMode" not in projects["VerdictProject"]["Environment"]


def test_events_of_pull_requests_and_of_their_tests_and_each_day_start_the_verdict_and_nothing_else(
    stack: Stack,
) -> None:
    rules = dict(stack.of_type("AWS::Events::Rule"))
    pattern = rules["PullRequestRule"]["EventPattern"]
    assert pattern["resources"] == [REPOSITORY]
    assert pattern["detail"]["destinationReference"] == ["refs/heads/main"]
    assert pattern["detail"]["event"] == ["pullRequestCreated", "pullRequestSourceBranchUpdated"]
    assert rules["PullRequestRule"]["ScheduleExpression"] == "rate(1 day)"
    assert rules["TestsRule"]["EventPattern"]["detail"]["project-name"] == [
        project_names.pull_request_tests(APP),
        project_names.pull_request_plan(APP),
    ]
    for rule in rules.values():
        assert [one["Arn"] for one in rule["Targets"]] == [f"{PROJECT}-pr-verdict"]


@pytest.mark.parametrize("architecture", ["x86_64", "arm64"])
def test_pipeline_tests_of_pull_requests_and_verdicts_use_no_quota_of_each_other(
    stacks_of: Callable[..., Stacks], architecture: str
) -> None:
    """A new account runs one build of a compute type at once, and EventBridge repeats no start that was refused."""
    stacks = stacks_of(
        customize=True, architecture=architecture, promotion="branches", nightly_scan=True, updates="renovate"
    )
    used: dict[tuple[str, str], set[str]] = {}
    for owner, logical, project in every(stacks, "AWS::CodeBuild::Project"):
        outside = owner.kind in ("pull-requests", "plans", "scans", "updates") or logical == "BranchesProject"
        kind = logical if outside else "pipeline"
        environment = project["Environment"]
        used.setdefault((environment["Type"], environment["ComputeType"]), set()).add(kind)
    beside_tests = {"BranchesProject", "DriftProject", "PlanProject", "ScanProject", "TestsProject", "UpdatesProject"}
    assert sorted(used.values(), key=sorted) == [beside_tests, {"VerdictProject"}, {"pipeline"}]
    # The verdict starts the tests again, and the end of the others starts what approves merges.
    rules = dict(one(stacks, "releases").of_type("AWS::Events::Rule"))
    ended = set(rules["EndedRule"]["EventPattern"]["detail"]["project-name"])
    assert ended == {f"hello-service-{name}" for name in ("drift", "pr-plan", "pr-tests", "scan", "updates")}
    assert used.keys() <= BUILDS.keys()


@pytest.mark.parametrize(
    ("answers", "branches"),
    [
        ({"reviewers": "Leads"}, ["main", "env/staging", "env/prod"]),
        ({"reviewers": "Leads", "auto_promote": "staging"}, ["main", "env/prod"]),
        # Without a pool the verdict's approval would count, which these pull requests do not get.
        ({}, ["main"]),
        # Who merges decides, and approvers only may.
        ({"reviewers": "Leads", "approvers": "Releasers"}, ["main"]),
    ],
)
def test_reviewers_approve_pull_requests_to_branches_that_nobody_else_decides_about(
    generated: Callable[..., Path], answers: dict[str, str], branches: list[str]
) -> None:
    root = generated(customize=True, environments="dev,staging,prod", promotion="branches", **answers)
    rule = json.loads((root / "config/policies/approval-rule-review.json").read_text())
    assert rule["DestinationReferences"] == [f"refs/heads/{branch}" for branch in branches]


def test_a_verdict_waits_as_long_as_tests_may_take_and_ends_before_its_build_does(
    stack: Stack, generated: Callable[..., Path]
) -> None:
    projects: dict[str, Any] = dict(stack.of_type("AWS::CodeBuild::Project"))
    script = (generated() / "config/scripts/verdict.py").read_text()
    found = re.search(r"^LONGEST_WAIT, PAUSE = (\d+) \* 60, \d+$", script, re.MULTILINE)
    assert found
    tests, verdict = (projects[name]["TimeoutInMinutes"] for name in ("TestsProject", "VerdictProject"))
    assert tests < int(found[1]) < verdict <= 60, "a session that a role has assumed ends after an hour"
