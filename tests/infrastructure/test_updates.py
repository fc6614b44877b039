"""The role of the updates of pins proposes, and can neither approve nor merge; what is off leaves no trace."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from scaffold.service import names, project_names
from scaffold.service.stack_kinds import WITH_SOURCE_COMMIT
from tests.infrastructure.iam import allowed, boundary_of, statements_of
from tests.infrastructure.stacks import ACCOUNT, REGION, Stack, Stacks, as_list, one
from tests.infrastructure.variants import ALL_ANSWERS

APP = ALL_ANSWERS["app_name"]
REPOSITORY = f"arn:aws:codecommit:{REGION}:{ACCOUNT}:{APP}"
REFERENCES = "codecommit:References"
ACTIONS = """codecommit:CreatePullRequest codecommit:DeleteCommentContent codecommit:GetCommentsForPullRequest
codecommit:GetPullRequest codecommit:GetRepository codecommit:GitPull codecommit:GitPush codecommit:ListPullRequests
codecommit:ListRepositories codecommit:PostCommentForPullRequest codecommit:UpdateComment
codecommit:UpdatePullRequestDescription codecommit:UpdatePullRequestStatus codecommit:UpdatePullRequestTitle
logs:CreateLogStream logs:PutLogEvents"""
WEEK = 7 * 24 * 3600


@pytest.fixture(scope="module")
def stacks(stacks_of: Callable[..., Stacks]) -> Stacks:
    return stacks_of(**ALL_ANSWERS)


@pytest.fixture(scope="module")
def stack(stacks: Stacks) -> Stack:
    return one(stacks, "updates")


def test_the_role_has_these_permissions_and_no_other_and_the_boundary_lets_it(stacks: Stacks, stack: Stack) -> None:
    statements, limit = statements_of(stack, "UpdatesRole"), boundary_of(one(stacks, "permissions"))
    granted = [each for each in statements if each["Effect"] == "Allow"]
    assert sorted(action for each in granted for action in as_list(each["Action"])) == ACTIONS.split()
    for each in granted:
        for action in as_list(each["Action"]):
            resource = "*" if action.endswith("ListRepositories") else as_list(each["Resource"])[0].replace("*", "x")
            for policy in (statements, limit):
                assert allowed(policy, action, resource), action
                assert not allowed(policy, action, f"{REPOSITORY}-two") or resource == "*"


@pytest.mark.parametrize(
    ("reference", "pushed"),
    [
        ("refs/heads/renovate/npm-minor-patch", True),
        ("refs/heads/main", False),
        ("refs/heads/env/live", False),
        ("refs/heads/candidate/live", False),
        ("refs/heads/topic", False),
        ("refs/tags/v1", False),
        ("refs/tags/renovate/x", False),
    ],
)
def test_it_pushes_branches_of_its_own_only(stacks: Stacks, stack: Stack, reference: str, pushed: bool) -> None:
    statements, limit = statements_of(stack, "UpdatesRole"), boundary_of(one(stacks, "permissions"))
    context = {REFERENCES: reference}
    found = [allowed(each, "codecommit:GitPush", REPOSITORY, context) for each in (statements, limit)]
    assert all(found) == pushed
    for action in ("CreateBranch", "DeleteBranch", "MergePullRequestBySquash", "UpdatePullRequestApprovalState"):
        assert not allowed(statements, f"codecommit:{action}", REPOSITORY, context), action


def test_a_schedule_that_does_not_run_is_noticed(stack: Stack) -> None:
    """The longest pause is from Thursday to Monday, and an alarm looks back for a week at most."""
    ((_, rule),) = stack.of_type("AWS::Events::Rule")
    assert re.fullmatch(r"cron\(\d+ [1-3] \? \* MON,THU \*\)", rule["ScheduleExpression"])
    alarms = {alarm["MetricName"]: alarm for _, alarm in stack.of_type("AWS::CloudWatch::Alarm")}
    watched = alarms["Builds"]["Period"] * alarms["Builds"]["EvaluationPeriods"]
    assert 4 * WEEK / 7 < watched <= WEEK
    assert alarms["Builds"]["InsufficientDataActions"] == alarms["FailedBuilds"]["AlarmActions"]
    for alarm in alarms.values():
        assert alarm["Dimensions"] == [{"Name": "ProjectName", "Value": project_names.updates(APP)}]


def test_the_pipeline_sets_the_commit_of_each_stack_whose_scripts_are_of_it(stacks: Stacks) -> None:
    ((_, pipeline),) = one(stacks, "pipeline").of_type("AWS::CodePipeline::Pipeline")
    (stage,) = [each for each in pipeline["Stages"] if each["Name"] == names.SELF_UPDATE_STAGE]
    given = {
        each["Configuration"]["StackName"].removeprefix(f"{APP}-")
        for each in stage["Actions"]
        if names.SOURCE_COMMIT in each["Configuration"].get("ParameterOverrides", "")
    }
    assert given == {kind.name for kind in WITH_SOURCE_COMMIT}


def test_the_lock_files_have_hashes_and_no_addresses(generated: Callable[..., Path]) -> None:
    folder = generated(**ALL_ANSWERS) / "config" / "renovate"
    packages = json.loads((folder / "package-lock.json").read_text())["packages"]
    assert all("integrity" in each and "resolved" not in each for path, each in packages.items() if path)
    wanted = json.loads((folder / "package.json").read_text())["dependencies"]
    assert wanted == {"renovate": packages["node_modules/renovate"]["version"]}
    requirements = (folder / "requirements.txt").read_text()
    assert "://" not in requirements
    assert len(re.findall(r"^\S+==", requirements, re.MULTILINE)) == len(
        re.findall(r"^\S+==.* \\\n    --hash=sha256:[0-9a-f]{64}", requirements, re.MULTILINE)
    )
    for pin in (folder / "requirements.in").read_text().split():
        assert f"{pin} \\" in requirements


def test_without_the_answer_nothing_of_it_is_generated(generated: Callable[..., Path]) -> None:
    root = generated()
    for path in root.rglob("*"):
        assert "renovate" not in path.name, path
        assert path.stem not in ("updates", "update_pins"), path
        if path.is_file() and path.suffix in (".yaml", ".yml", ".json", ".md", ".toml"):
            assert "enovate" not in path.read_text(), path
