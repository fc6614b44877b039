"""Which permissions changes of resources need."""

from __future__ import annotations

from typing import Any

import pytest

from scaffold.local.permissions.needs import Need, NotRehearsed
from scaffold.local.permissions.provisioning.change import Change
from scaffold.local.permissions.provisioning.table import needs_of_change

ACCOUNT = "000000000000"
TAGS = [{"Key": "team", "Value": "shop"}, {"Key": "aws:cloudformation:stack-name", "Value": "shop"}]
GROUP = f"arn:aws:logs:us-east-1:{ACCOUNT}:log-group:/shop"
ELB = f"arn:aws:elasticloadbalancing:us-east-1:{ACCOUNT}:"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/shop/task"


def created(kind: str, **properties: Any) -> list[Need]:
    return needs_of_change(Change(f"AWS::{kind}", "us-east-1", "generated", new=properties))


def updated(kind: str, identifier: str, old: dict[str, Any], **new: Any) -> list[Need]:
    return needs_of_change(Change(f"AWS::{kind}", "us-east-1", "generated", identifier, old, {**old, **new}))


def deleted(kind: str, identifier: str, **properties: Any) -> list[Need]:
    return needs_of_change(Change(f"AWS::{kind}", "us-east-1", "generated", identifier, properties))


def writing(needs: list[Need]) -> list[tuple[str, str]]:
    """Action and resource of the calls that do not only read."""
    reads = ("Describe", "Get", "List", "BatchGet")
    return [(one.action, one.resource) for one in needs if not one.action.partition(":")[2].startswith(reads)]


@pytest.mark.parametrize(
    ("needs", "expected"),
    [
        (
            created("Logs::LogGroup", LogGroupName="/shop", RetentionInDays=7, Tags=TAGS),
            [
                ("logs:CreateLogGroup", f"{GROUP}:log-stream:"),
                ("logs:TagResource", GROUP),
                ("logs:PutRetentionPolicy", f"{GROUP}:log-stream:"),
            ],
        ),
        (
            created("Logs::LogGroup"),
            [("logs:CreateLogGroup", GROUP.replace("/shop", "generated:log-stream:"))],
        ),
        (
            created("EC2::Subnet", VpcId="vpc-1", CidrBlock="10.0.0.0/24"),
            [
                ("ec2:CreateSubnet", f"arn:aws:ec2:us-east-1:{ACCOUNT}:subnet/*"),
                ("ec2:CreateSubnet", f"arn:aws:ec2:us-east-1:{ACCOUNT}:vpc/vpc-1"),
            ],
        ),
        (
            created("ElasticLoadBalancingV2::ListenerRule", ListenerArn=f"{ELB}listener/app/shop/1/2", Tags=TAGS),
            [
                ("elasticloadbalancing:CreateRule", f"{ELB}listener/app/shop/1/2"),
                ("elasticloadbalancing:AddTags", f"{ELB}listener-rule/app/shop/1/2/*"),
            ],
        ),
        (
            created("ElasticLoadBalancingV2::TargetGroup", Name="shop"),
            [("elasticloadbalancing:CreateTargetGroup", f"{ELB}targetgroup/shop/*")],
        ),
        (
            created("CloudWatch::Dashboard", DashboardName="shop"),
            [("cloudwatch:PutDashboard", f"arn:aws:cloudwatch::{ACCOUNT}:dashboard/shop")],
        ),
        (
            created("ECS::Service", ServiceName="web", Cluster=f"arn:aws:ecs:us-east-1:{ACCOUNT}:cluster/shop"),
            [("ecs:CreateService", f"arn:aws:ecs:us-east-1:{ACCOUNT}:service/shop/web")],
        ),
    ],
)
def test_a_creation_needs_its_calls(needs: list[Need], expected: list[tuple[str, str]]) -> None:
    assert writing(needs) == expected


def test_a_creation_has_the_tags_of_its_request() -> None:
    given = {"aws:RequestTag/team": "shop", "aws:TagKeys": ["team"]}
    create, tag, change, *_ = created("EC2::VPC", EnableDnsSupport=True, Tags=TAGS)
    assert create.context == given
    assert (tag.action, tag.context) == ("ec2:CreateTags", {**given, "ec2:CreateAction": "CreateVpc"})
    # Afterwards the resource has them.
    assert (change.action, change.context) == ("ec2:ModifyVpcAttribute", {"aws:ResourceTag/team": "shop"})
    (project,) = [one for one in created("CodeBuild::Project", Tags=TAGS) if one.action == "codebuild:CreateProject"]
    assert project.context == given


BALANCER = f"{ELB}loadbalancer/app/shop/1"


@pytest.mark.parametrize(
    ("needs", "expected"),
    [
        (
            updated("ElasticLoadBalancingV2::LoadBalancer", BALANCER, {"Subnets": ["a"]}, SecurityGroups=["b"]),
            [("elasticloadbalancing:SetSecurityGroups", BALANCER)],
        ),
        (
            updated("Logs::LogGroup", "/shop", {"RetentionInDays": 7}, RetentionInDays=None),
            [("logs:DeleteRetentionPolicy", f"{GROUP}:log-stream:")],
        ),
        (
            updated("IAM::Role", "task", {"Path": "/shop/", "ManagedPolicyArns": ["a", "b"]}, ManagedPolicyArns=["a"]),
            [("iam:DetachRolePolicy", ROLE)],
        ),
        (
            updated("IAM::Role", "task", {"Path": "/shop/"}, Policies=[{"PolicyName": "a", "PolicyDocument": {}}]),
            [("iam:PutRolePolicy", ROLE)],
        ),
        (
            updated("Logs::LogGroup", "/shop", {"Tags": [{"Key": "old", "Value": "1"}]}, Tags=TAGS),
            [("logs:TagResource", GROUP), ("logs:UntagResource", GROUP)],
        ),
        (
            updated("ECS::Cluster", "shop", {}, Configuration={}),
            [("ecs:UpdateCluster", f"arn:aws:ecs:us-east-1:{ACCOUNT}:cluster/shop")],
        ),
    ],
)
def test_an_update_needs_the_calls_for_what_changes(needs: list[Need], expected: list[tuple[str, str]]) -> None:
    assert writing(needs) == expected


def test_a_deletion_needs_its_calls() -> None:
    role = deleted("IAM::Role", "task", Path="/shop/", PermissionsBoundary="arn:b", ManagedPolicyArns=["arn:p"])
    assert writing(role) == [("iam:DetachRolePolicy", ROLE), ("iam:DeleteRole", ROLE)]
    bounded = [one.action for one in role if "iam:PermissionsBoundary" in one.context]
    assert bounded == ["iam:DetachRolePolicy"]
    gateway = f"arn:aws:ec2:us-east-1:{ACCOUNT}:internet-gateway/igw-1"
    assert writing(deleted("EC2::InternetGateway", "igw-1")) == [("ec2:DeleteInternetGateway", gateway)]


def test_roles_in_properties_are_passed() -> None:
    definition = created("ECS::TaskDefinition", Family="shop", ExecutionRoleArn="arn:e", TaskRoleArn="arn:t")
    balancer = {"TargetGroupArn": "arn:g", "AdvancedConfiguration": {"RoleArn": "arn:l"}}
    service = created("ECS::Service", ServiceName="shop", Cluster="shop", LoadBalancers=[balancer])
    rule = created("Events::Rule", Name="shop", Targets=[{"Id": "a", "RoleArn": "arn:r"}, {"Id": "b"}])
    old = {"RoleArn": "arn:p", "Name": "shop", "Stages": []}
    pipeline = updated("CodePipeline::Pipeline", "shop", old, Stages=[{}])
    project = {"Name": "shop", "ServiceRole": "arn:b"}
    tagged = updated("Events::Rule", "shop", {"RoleArn": "arn:r"}, Tags=TAGS)
    found = [
        [(one.resource, one.context["iam:PassedToService"]) for one in needs if one.action == "iam:PassRole"]
        for needs in (definition, service, rule, pipeline, created("CodeBuild::Project", **project), tagged)
    ]
    assert found == [
        [("arn:e", "ecs-tasks.amazonaws.com"), ("arn:t", "ecs-tasks.amazonaws.com")],
        [("arn:l", "ecs.amazonaws.com")],
        [("arn:r", "events.amazonaws.com")],
        [("arn:p", "codepipeline.amazonaws.com")],
        [("arn:b", "codebuild.amazonaws.com")],
        [],
    ]


def test_calls_for_a_role_have_its_boundary() -> None:
    given = {"PermissionsBoundary": "arn:b", "Policies": [{"PolicyName": "a", "PolicyDocument": {}}]}
    needs = created("IAM::Role", **given) + updated("IAM::Role", "a", {}, PermissionsBoundary="arn:b")
    bounded = [one.action for one in needs if one.context.get("iam:PermissionsBoundary") == "arn:b"]
    assert bounded == ["iam:CreateRole", "iam:PutRolePolicy", "iam:PutRolePermissionsBoundary"]
    assert "iam:PermissionsBoundary" not in created("IAM::Role")[0].context


@pytest.mark.parametrize(
    ("kind", "properties", "named"),
    [
        ("Kinesis::Stream", {}, "the resource type AWS::Kinesis::Stream"),
        ("Logs::LogGroup", {"DataProtectionPolicy": {}}, "AWS::Logs::LogGroup with DataProtectionPolicy"),
    ],
)
def test_other_types_and_properties_are_not_rehearsed(kind: str, properties: dict[str, Any], named: str) -> None:
    with pytest.raises(NotRehearsed) as error:
        created(kind, **properties)
    assert str(error.value) == f"the permissions of {named}"


def test_types_that_only_wait_need_nothing() -> None:
    assert created("CloudFormation::WaitCondition", Timeout=1) == []
