"""The role of the plans of pull requests: it looks at the environments' stacks, and changes and reads nothing else."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from scaffold.service import names, project_names
from tests.infrastructure.iam import allowed, boundary_of, statements_of
from tests.infrastructure.stacks import ACCOUNT, REGION, Stack, Stacks, as_list
from tests.infrastructure.variants import EXISTING_VPC, PUBLIC_SUBNETS

APP = "hello-service"
CHANGE_SETS = ("CreateChangeSet", "DeleteChangeSet", "DescribeChangeSet")
LOOKS = ("DescribeStacks", "GetStackPolicy")
OWN = {"cloudformation:ChangeSetName": "plan-pull-request-7-0123456789ab"}
TAG = {"aws:ResourceTag/gitops-scaffold:service": APP}
KINDS = ("network", "environment", "task-definition", "alarms", "service")


def stack_arn(name: str) -> str:
    return f"arn:aws:cloudformation:{REGION}:{ACCOUNT}:stack/{name}/0"


@pytest.fixture(scope="module")
def stacks(stacks_of: Callable[..., Stacks]) -> Stacks:
    return stacks_of()


@pytest.fixture(scope="module")
def stack(stacks: Stacks) -> Stack:
    return stacks[f"{APP}-plans"]


@pytest.fixture(scope="module")
def role(stack: Stack) -> list[Any]:
    return statements_of(stack, "PlanRole")


def test_it_has_these_permissions_and_no_other(role: list[Any]) -> None:
    found = sorted(action for one in role for action in as_list(one["Action"]))
    calls = sorted(f"cloudformation:{name}" for name in (*CHANGE_SETS, *LOOKS))
    assert found == [
        *calls,
        "codecommit:GetRepository",
        "codecommit:GitPull",
        "logs:CreateLogStream",
        "logs:PutLogEvents",
    ]
    assert all(one["Effect"] == "Allow" for one in role)
    assert not any("*" in as_list(one["Resource"]) for one in role)


def test_its_change_sets_are_its_own_and_of_the_environments_stacks(role: list[Any], stacks: Stacks) -> None:
    limit = boundary_of(stacks[f"{APP}-permissions"])
    own = [f"{APP}-{environment}-{kind}" for environment in ("dev", "prod") for kind in KINDS]
    for action in CHANGE_SETS:
        for name in own:
            assert allowed(role, f"cloudformation:{action}", stack_arn(name), OWN), name
            assert allowed(limit, f"cloudformation:{action}", stack_arn(name), OWN | TAG), name
            # Those of releases, of `scaffold deploy`, and of people.
            for other in ("plan-0123", "scaffold-1", "x-plan-pull-request-7"):
                given = {"cloudformation:ChangeSetName": other}
                assert not allowed(role, f"cloudformation:{action}", stack_arn(name), given), other
        others = (f"{APP}-{kind}" for kind in ("foundation", "permissions", "pipeline", "checks", "plans"))
        for name in (
            *others,
            f"{APP}-prod-deploy-role",
            f"{APP}-qa-service",
            f"{APP}-x-prod-service",
            "other-prod-service",
        ):
            assert not allowed(role, f"cloudformation:{action}", stack_arn(name), OWN), name


@pytest.mark.parametrize(
    "action",
    [
        *(f"cloudformation:{name}" for name in ("ExecuteChangeSet", "UpdateStack", "CreateStack", "DeleteStack")),
        *(f"cloudformation:{name}" for name in ("SetStackPolicy", "CancelUpdateStack", "GetTemplate", "TagResource")),
        *("iam:PassRole", "sts:AssumeRole", "lambda:InvokeFunction", "s3:GetObject", "kms:Decrypt"),
        *("ssm:GetParameter", "ssm:GetParameters", "secretsmanager:GetSecretValue", "ec2:DescribeVpcs"),
        *("codecommit:GitPush", "codecommit:UpdatePullRequestApprovalState", "codebuild:StartBuild"),
        "codepipeline:StopPipelineExecution",
    ],
)
def test_it_executes_passes_reads_and_approves_nothing(role: list[Any], action: str) -> None:
    for statement in role:
        for resource in (*as_list(statement["Resource"]), "*"):
            assert not allowed(role, action, resource.replace("*", "x"), OWN)


def test_the_roles_of_the_stacks_read_no_parameters_and_secrets(stacks: Stacks) -> None:
    """With which CloudFormation creates these change sets: what escaped the refusals would be denied."""
    for environment in ("dev", "prod"):
        deploy = statements_of(stacks[f"{APP}-{environment}-deploy-role"], "DeployRole")
        for action in (
            "ssm:GetParameter",
            "ssm:GetParameters",
            "secretsmanager:GetSecretValue",
            "lambda:InvokeFunction",
        ):
            assert not allowed(deploy, action, "*")


def test_its_source_is_the_deployed_commit_and_its_buildspec_that_of_the_stack(
    stack: Stack, generated: Callable[..., Path]
) -> None:
    project = dict(stack.of_type("AWS::CodeBuild::Project"))["PlanProject"]
    assert project["Name"] == project_names.pull_request_plan(APP)
    buildspec = yaml.safe_load(project["Source"]["BuildSpec"])
    (command,) = buildspec["phases"]["build"]["commands"]
    assert (generated() / command.removeprefix("python3 ")).exists()
    assert project["Source"]["Type"] == "CODECOMMIT"
    assert project["SourceVersion"] == names.UNKNOWN_DIGEST  # until a deployer says which commit it is
    assert project["Artifacts"] == {"Type": "NO_ARTIFACTS"}
    assert not {"Cache", "SecondarySources"} & set(project)
    assert "PrivilegedMode" not in project["Environment"]
    variables = {one["Name"]: one["Value"] for one in project["Environment"]["EnvironmentVariables"]}
    assert variables["ENVIRONMENTS"] == "dev,staging,prod"


def test_environments_in_existing_vpcs_have_no_network_to_plan(stacks_of: Callable[..., Stacks]) -> None:
    vpc = {"vpc_id": EXISTING_VPC, "public_subnet_ids": PUBLIC_SUBNETS}
    stacks = stacks_of(environments="dev,live", customize=True, environment_overrides={"live": vpc})
    role = statements_of(stacks[f"{APP}-plans"], "PlanRole")
    assert allowed(role, "cloudformation:CreateChangeSet", stack_arn(f"{APP}-live-service"), OWN)
    assert not allowed(role, "cloudformation:CreateChangeSet", stack_arn(f"{APP}-live-network"), OWN)


def test_the_comparison_reads_its_own_service_and_publishes_and_no_more(stack: Stack) -> None:
    found = statements_of(stack, "DriftRole")
    assert {action for one in found for action in as_list(one["Action"])} == {
        *("cloudformation:DescribeStacks", "codecommit:GetFolder", "codecommit:GitPull"),
        *("codepipeline:GetPipelineState", "codepipeline:ListActionExecutions"),
        *("ecs:DescribeServices", "ecs:DescribeTaskDefinition", "kms:Decrypt", "kms:GenerateDataKey*"),
        *("logs:CreateLogStream", "logs:PutLogEvents", "s3:GetObject", "s3:ListBucket", "sns:Publish"),
    }
    service = f"arn:aws:ecs:{REGION}:{ACCOUNT}:service/{APP}-{{0}}/{APP}-{{0}}"
    looks = [("ecs:DescribeServices", service), ("cloudformation:DescribeStacks", stack_arn(f"{APP}-{{0}}-service"))]
    other = {"aws:ResourceTag/gitops-scaffold:service": f"{APP}-two"}
    for action, resource in looks:
        assert allowed(found, action, resource.format("prod"), TAG)
        assert not allowed(found, action, resource.format("two-prod"), other)
    assert not allowed(found, "cloudformation:DescribeStacks", stack_arn(f"{APP}-prod-environment"), TAG)
