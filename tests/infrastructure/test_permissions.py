"""Every role has the permissions that it needs, and none that it must not have."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import botocore.session
import pytest
import yaml
from cfnlint.schema.manager import PROVIDER_SCHEMA_MANAGER

from scaffold.local.permissions.provisioning.table import CALLS
from scaffold.service import names, project_names
from scaffold.service.stack_kinds import DATA_ROLE, DEPLOY_ROLE, PERMISSIONS, STACK_KINDS, Deployer, StackId
from tests.infrastructure.handlers import UNNAMED, calls
from tests.infrastructure.iam import allowed, boundary_of, matches, roles_of, statements_of
from tests.infrastructure.rules import every, walk
from tests.infrastructure.stacks import ACCOUNT, REGION, Stack, Stacks, as_list, one
from tests.infrastructure.variants import FEW
from tests.kits import ROOT

TAG_OF_RESOURCE = "aws:ResourceTag/gitops-scaffold:service"
TAG_IN_REQUEST = "aws:RequestTag/gitops-scaffold:service"
ENVIRONMENT_OF_RESOURCE = "aws:ResourceTag/gitops-scaffold:environment"
ENVIRONMENT_IN_REQUEST = "aws:RequestTag/gitops-scaffold:environment"
OWN = {TAG_OF_RESOURCE: "hello-service", ENVIRONMENT_OF_RESOURCE: "dev"}
TAGGED = {TAG_IN_REQUEST: "hello-service", ENVIRONMENT_IN_REQUEST: "dev"}
ARN_OF = {
    "AWS::ElasticLoadBalancingV2::Listener": f"arn:aws:elasticloadbalancing:{REGION}:{ACCOUNT}:listener/app/any/1/2",
    "AWS::ElasticLoadBalancingV2::ListenerRule": (
        f"arn:aws:elasticloadbalancing:{REGION}:{ACCOUNT}:listener-rule/app/any/1/2/3"
    ),
    "AWS::ApplicationAutoScaling::ScalableTarget": (
        f"arn:aws:application-autoscaling:{REGION}:{ACCOUNT}:scalable-target/0123456789"
    ),
    "AWS::CloudWatch::Alarm": f"arn:aws:cloudwatch:{REGION}:{ACCOUNT}:alarm:{{AlarmName}}",
    "AWS::CloudWatch::Dashboard": f"arn:aws:cloudwatch::{ACCOUNT}:dashboard/{{DashboardName}}",
    "AWS::CodeBuild::Project": f"arn:aws:codebuild:{REGION}:{ACCOUNT}:project/{{Name}}",
    "AWS::CodeBuild::ReportGroup": f"arn:aws:codebuild:{REGION}:{ACCOUNT}:report-group/{{Name}}",
    "AWS::CodePipeline::Pipeline": f"arn:aws:codepipeline:{REGION}:{ACCOUNT}:{{Name}}",
    "AWS::DynamoDB::Table": f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/{{TableName}}",
    "AWS::ECS::Cluster": f"arn:aws:ecs:{REGION}:{ACCOUNT}:cluster/{{ClusterName}}",
    "AWS::ECS::Service": f"arn:aws:ecs:{REGION}:{ACCOUNT}:service/{{ServiceName}}/{{ServiceName}}",
    "AWS::ECS::TaskDefinition": f"arn:aws:ecs:{REGION}:{ACCOUNT}:task-definition/{{Family}}:7",
    "AWS::Events::Rule": f"arn:aws:events:{REGION}:{ACCOUNT}:rule/{{Name}}",
    "AWS::IAM::Role": f"arn:aws:iam::{ACCOUNT}:role{{Path}}some-role",
    "AWS::Logs::LogGroup": f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:{{LogGroupName}}",
    "AWS::WAFv2::WebACLAssociation": f"arn:aws:elasticloadbalancing:{REGION}:{ACCOUNT}:loadbalancer/app/any/1",
    "AWS::WAFv2::LoggingConfiguration": "{ResourceArn}",
    "AWS::WAFv2::WebACL": f"arn:aws:wafv2:{REGION}:{ACCOUNT}:regional/webacl/{{Name}}/0123456789",
    "AWS::RDS::DBCluster": f"arn:aws:rds:{REGION}:{ACCOUNT}:cluster:{{DBClusterIdentifier}}",
    "AWS::RDS::DBClusterParameterGroup": f"arn:aws:rds:{REGION}:{ACCOUNT}:cluster-pg:{{DBClusterParameterGroupName}}",
    "AWS::RDS::DBInstance": f"arn:aws:rds:{REGION}:{ACCOUNT}:db:{{DBInstanceIdentifier}}",
    "AWS::RDS::DBSubnetGroup": f"arn:aws:rds:{REGION}:{ACCOUNT}:subgrp:{{DBSubnetGroupName}}",
    "AWS::S3::Bucket": "arn:aws:s3:::{BucketName}",
    "AWS::S3::BucketPolicy": "arn:aws:s3:::{Bucket}",
    "AWS::SNS::Topic": f"arn:aws:sns:{REGION}:{ACCOUNT}:{{TopicName}}",
    "AWS::SNS::TopicPolicy": "{Topics[0]}",
    "AWS::SQS::Queue": f"arn:aws:sqs:{REGION}:{ACCOUNT}:{{QueueName}}",
    "AWS::SQS::QueuePolicy": "{Queues[0]}",
}
#: How ARNs name what the role for data may create.
CREATED = {
    "AWS::EC2::RouteTable": "route-table",
    "AWS::EC2::SecurityGroup": "security-group",
    "AWS::EC2::Subnet": "subnet",
}
PASSED_TO = {
    "AWS::CodeBuild::Project": "codebuild.amazonaws.com",
    "AWS::CodePipeline::Pipeline": "codepipeline.amazonaws.com",
    "AWS::ECS::Service": "ecs.amazonaws.com",
    "AWS::ECS::TaskDefinition": "ecs-tasks.amazonaws.com",
    "AWS::Events::Rule": "events.amazonaws.com",
}


READING = ("Describe", "Get", "List", "BatchGet")
# They create something new, and IAM knows nothing that exists for them; an existing VPC may have the tags of another
# service, so that a security group may be created in any. IAM knows no resource for DeregisterTaskDefinition.
HARMLESS = {
    "ec2:AllocateAddress",
    "ec2:CreateInternetGateway",
    "ec2:CreateSecurityGroup",
    "ec2:CreateVpc",
    "ecs:CreateCluster",
    "ecs:DeregisterTaskDefinition",
    "ecs:RegisterTaskDefinition",
    "elasticloadbalancing:CreateLoadBalancer",
    "elasticloadbalancing:CreateTargetGroup",
}
# What creates something in a network: its resource, and the existing ones for which the call needs a permission too.
CREATED_IN = {
    "CreateNatGateway": ("natgateway", ("elastic-ip", "subnet", "vpc")),
    "CreateRouteTable": ("route-table", ("vpc",)),
    "CreateSubnet": ("subnet", ("vpc",)),
    "CreateVpcEndpoint": ("vpc-endpoint", ("route-table", "security-group", "subnet", "vpc")),
}
PERSONS = {kind.name for kind in STACK_KINDS if kind.deployer is Deployer.PERSON}


def trust(stacks: Stacks, environment: str | None) -> Stack:
    """The stack with deploy role and boundary of an environment, or for None of the pipeline and its builds."""
    app = one(stacks, "foundation").parameters["AppName"]
    return stacks[StackId(DEPLOY_ROLE if environment else PERMISSIONS, environment).name(app)]


def deploy_role(stacks: Stacks, environment: str | None = "dev") -> list[Any]:
    return list(statements_of(trust(stacks, environment), "DeployRole"))


def boundary_arn(stacks: Stacks, environment: str | None = "dev") -> str:
    return trust(stacks, environment).outputs["BoundaryArn"]


def boundary(stacks: Stacks, environment: str | None = "dev") -> list[Any]:
    return list(boundary_of(trust(stacks, environment)))


def _environment_of(stack: Stack) -> str | None:
    """An environment's name; the stack of a task definition has it in the name of its family."""
    for _, properties in stack.of_type("AWS::ECS::TaskDefinition"):
        return str(properties["Family"].rpartition("-")[2])
    return stack.parameters.get("EnvironmentName")


@pytest.mark.parametrize("answers", FEW.values(), ids=FEW)
def test_the_deploy_role_covers_every_call_for_every_resource(
    stacks_of: Callable[..., Stacks], answers: dict[str, Any]
) -> None:
    stacks = stacks_of(**answers)
    app = one(stacks, "foundation").parameters["AppName"]
    denied = set()
    for stack in stacks.values():
        if stack.kind in PERSONS:
            continue
        environment = _environment_of(stack)
        statements = deploy_role(stacks, environment)
        if stack.kind in ("data", "database"):
            statements = list(statements_of(stacks[StackId(DATA_ROLE, environment).name(app)], "DataRole"))
        for logical, resource in stack.resources.items():
            kind = resource["Type"]
            for action in calls(kind):
                # What its template retains is not deleted.
                if resource.get("DeletionPolicy") == "Retain" and ":Delete" in action:
                    continue
                context: dict[str, str | list[str]] = {
                    TAG_OF_RESOURCE: app,
                    **({ENVIRONMENT_OF_RESOURCE: environment} if environment else {}),
                    "application-autoscaling:service-namespace": "ecs",
                    "iam:PermissionsBoundary": boundary_arn(stacks, environment),
                    "iam:PassedToService": PASSED_TO.get(kind, ""),
                }
                unnamed = any(matches(pattern, action) for pattern in UNNAMED)
                arn = "*" if unnamed else ARN_OF.get(kind, "*").format(**resource["Properties"])
                if kind == "AWS::CertificateManager::Certificate":
                    context |= {TAG_IN_REQUEST: app, ENVIRONMENT_IN_REQUEST: str(environment)}
                    context |= {
                        "acm:DomainNames": [resource["Properties"]["DomainName"]],
                        "acm:ValidationMethod": "DNS",
                    }
                if kind == "AWS::Route53::RecordSet" and action == "route53:ChangeResourceRecordSets":
                    arn = f"arn:aws:route53:::hostedzone/{resource['Properties']['HostedZoneId']}"
                    context |= {
                        "route53:ChangeResourceRecordSetsNormalizedRecordNames": [resource["Properties"]["Name"]],
                        "route53:ChangeResourceRecordSetsRecordTypes": [resource["Properties"]["Type"]],
                    }
                if action == "wafv2:GetWebACL":
                    arn = f"arn:aws:wafv2:{REGION}:{ACCOUNT}:regional/webacl/{app}-{environment}/0123456789"
                if action in ("iam:PassRole", "iam:GetRole") or kind == "AWS::IAM::Policy":
                    arn = f"arn:aws:iam::{ACCOUNT}:role{names.role_path(app, environment)}some-role"
                if action.startswith("ecs:") and "ServiceDeployment" in action and not action.startswith("ecs:List"):
                    arn = arn.replace(":service/", ":service-deployment/") + "/0123456789"
                if stack.kind == "database" and kind in CREATED and action == f"ec2:Create{kind.rpartition('::')[2]}":
                    arn = f"arn:aws:ec2:{REGION}:{ACCOUNT}:{CREATED[kind]}/any"
                if action.startswith("secretsmanager:") and kind == "AWS::RDS::DBCluster":
                    arn = f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:rds!cluster-0123456789"
                if arn.startswith("https://sqs."):
                    arn = f"arn:aws:sqs:{REGION}:{ACCOUNT}:{arn.rpartition('/')[2]}"
                if not allowed(statements, action, arn, context):
                    denied.add(f"{stack.kind}: {logical} ({kind}) needs {action} on {arn}")
    assert not denied


def as_action(permission: str) -> str:
    """A permission of a schema, which may have the service in capital letters, as IAM spells it."""
    service, _, name = permission.partition(":")
    return f"{service.lower()}:{name}"


@pytest.mark.parametrize("kind", CALLS)
def test_the_calls_of_a_resource_include_those_for_the_tags_of_its_stack(kind: str) -> None:
    tagging = PROVIDER_SCHEMA_MANAGER.get_resource_schema(REGION, kind).schema.get("tagging", {})
    # Not an action of IAM: s3:PutBucketTagging also allows the API call DeleteBucketTagging.
    assert {as_action(one) for one in tagging.get("permissions", [])} - {"s3:DeleteBucketTagging"} <= set(calls(kind))


#: What the schemas lack, and the guide of the service asks for: of a cluster whose password RDS manages.
BESIDES_THE_SCHEMAS = {"AWS::RDS::DBCluster": {"kms:DescribeKey"}}


def test_the_calls_are_those_of_the_handlers_of_the_types() -> None:
    for kind, found in CALLS.items():
        schema = PROVIDER_SCHEMA_MANAGER.get_resource_schema(REGION, kind).schema
        assert set(found.not_rehearsed) <= schema["properties"].keys(), kind
        if kind.startswith("AWS::CodeBuild::"):  # Without handlers, or without the calls for reports.
            continue
        permitted = {action for handler in schema["handlers"].values() for action in handler.get("permissions", [])}
        permitted |= set(schema.get("tagging", {}).get("permissions", []))
        permitted |= BESIDES_THE_SCHEMAS.get(kind, set())
        assert found.actions <= {as_action(one) for one in permitted}, kind


def test_resources_get_their_tag_at_creation(stacks_of: Callable[..., Stacks]) -> None:
    statements = deploy_role(stacks_of())
    for action, key, creation in (
        ("ec2:CreateTags", "ec2:CreateAction", "CreateVpc"),
        ("elasticloadbalancing:AddTags", "elasticloadbalancing:CreateAction", "CreateRule"),
    ):
        tagged = {**TAGGED, key: creation}
        assert allowed(statements, action, "arn:aws:any", tagged)
        assert not allowed(statements, action, "arn:aws:any", {**tagged, key: "CreateVolume"})
        assert not allowed(statements, action, "arn:aws:any", {**tagged, TAG_IN_REQUEST: "other-service"})
        assert not allowed(statements, action, "arn:aws:any", {**tagged, ENVIRONMENT_IN_REQUEST: "prod"})
        # Tagging an existing resource would give the service access to it.
        assert not allowed(statements, action, "arn:aws:any", TAGGED)


def test_the_stacks_have_the_tag_that_the_deploy_role_requires(stacks_of: Callable[..., Stacks]) -> None:
    for stack in stacks_of().values():
        if stack.kind != "task-definition":
            assert stack.configuration["Tags"]["gitops-scaffold:service"] == "hello-service"
            environment = stack.parameters.get("EnvironmentName")
            assert stack.configuration["Tags"].get("gitops-scaffold:environment") == environment


@pytest.mark.parametrize(
    "action",
    ["ec2:DeleteVpc", "ec2:AuthorizeSecurityGroupIngress", "elasticloadbalancing:DeleteLoadBalancer", "ec2:DeleteTags"],
)
def test_the_deploy_role_cannot_change_other_networks(stacks_of: Callable[..., Stacks], action: str) -> None:
    statements = deploy_role(stacks_of())
    assert allowed(statements, action, "arn:aws:any", OWN)
    assert not allowed(statements, action, "arn:aws:any")
    assert not allowed(statements, action, "arn:aws:any", OWN | {TAG_OF_RESOURCE: "other-service"})
    assert not allowed(statements, action, "arn:aws:any", OWN | {ENVIRONMENT_OF_RESOURCE: "prod"})


@pytest.mark.parametrize(
    "action",
    ["CreateVpc", "CreateSubnet", "CreateRouteTable", "CreateInternetGateway", "CreateNatGateway", "CreateVpcEndpoint",
     "AllocateAddress"],
)  # fmt: skip
def test_only_deploy_roles_of_environments_with_a_vpc_of_their_own_create_networks(
    stacks_of: Callable[..., Stacks], action: str
) -> None:
    stacks = stacks_of(**FEW["production in an existing VPC"])
    created = f"arn:aws:ec2:{REGION}:{ACCOUNT}:{CREATED_IN.get(action, ('any',))[0]}/*"
    assert allowed(deploy_role(stacks, "dev"), f"ec2:{action}", created)
    assert not allowed(deploy_role(stacks, "live"), f"ec2:{action}", created)
    assert allowed(deploy_role(stacks, "live"), "ec2:CreateSecurityGroup", "arn:aws:any")


@pytest.mark.parametrize("action", CREATED_IN)
def test_a_deploy_role_creates_only_in_its_own_network(stacks_of: Callable[..., Stacks], action: str) -> None:
    statements, (created, existing) = deploy_role(stacks_of()), CREATED_IN[action]
    arn = f"arn:aws:ec2:{REGION}:{ACCOUNT}:{{}}/any".format
    assert allowed(statements, f"ec2:{action}", arn(created), TAGGED)
    for kind in existing:
        assert allowed(statements, f"ec2:{action}", arn(kind), TAGGED | OWN)
        others = {}, OWN | {ENVIRONMENT_OF_RESOURCE: "prod"}, OWN | {TAG_OF_RESOURCE: "other-service"}
        for tags in others:
            assert not allowed(statements, f"ec2:{action}", arn(kind), TAGGED | tags), (kind, tags)


@pytest.mark.parametrize(
    "action",
    ["DeleteSubnet", "DeleteVpc", "CreateRoute", "DeleteRoute", "ReplaceRoute", "ModifyVpcAttribute",
     "ModifySubnetAttribute", "AssociateRouteTable", "CreateTags"],
)  # fmt: skip
def test_no_deploy_role_changes_an_existing_vpc(stacks_of: Callable[..., Stacks], action: str) -> None:
    """It has none of the tags that the service sets, or those of another environment."""
    stacks = stacks_of(**FEW["production in an existing VPC"])
    for tags in ({}, OWN | {ENVIRONMENT_OF_RESOURCE: "dev"}):
        assert not allowed(deploy_role(stacks, "live"), f"ec2:{action}", "arn:aws:any", tags)


TARGET = f"arn:aws:application-autoscaling:{REGION}:{ACCOUNT}:scalable-target/"
LISTENER = f"arn:aws:elasticloadbalancing:{REGION}:{ACCOUNT}:listener/app/any/1/2"
RULE = f"arn:aws:elasticloadbalancing:{REGION}:{ACCOUNT}:listener-rule/app/any/1/2/3"


@pytest.mark.parametrize(
    ("action", "resource"),
    [
        ("elasticloadbalancing:AddTags", LISTENER),
        ("elasticloadbalancing:CreateRule", LISTENER),
        ("elasticloadbalancing:DeleteListener", LISTENER),
        ("elasticloadbalancing:ModifyListener", LISTENER),
        ("elasticloadbalancing:AddTags", RULE),
        ("elasticloadbalancing:DeleteRule", RULE),
        ("elasticloadbalancing:ModifyRule", RULE),
    ],
)
def test_the_deploy_role_can_change_only_listeners_and_rules_with_its_tag(
    stacks_of: Callable[..., Stacks], action: str, resource: str
) -> None:
    statements = deploy_role(stacks_of())
    assert allowed(statements, action, resource, OWN)
    assert not allowed(statements, action, resource)
    assert not allowed(statements, action, resource, OWN | {TAG_OF_RESOURCE: "other-service"})
    assert not allowed(statements, action, resource, OWN | {ENVIRONMENT_OF_RESOURCE: "prod"})
    # What lacks a tag cannot be tagged first and changed afterwards.
    assert not allowed(statements, action, resource, TAGGED)


@pytest.mark.parametrize(("creation", "resource"), [("CreateListener", LISTENER), ("CreateRule", RULE)])
def test_listeners_and_rules_get_their_tag_at_creation(
    stacks_of: Callable[..., Stacks], creation: str, resource: str
) -> None:
    created = {**TAGGED, "elasticloadbalancing:CreateAction": creation}
    assert allowed(deploy_role(stacks_of()), "elasticloadbalancing:AddTags", resource, created)


@pytest.mark.parametrize(
    ("action", "resource"),
    [
        ("application-autoscaling:DeregisterScalableTarget", f"{TARGET}hello-service-two"),
        ("application-autoscaling:PutScalingPolicy", f"{TARGET}hello-service-two"),
        ("cloudwatch:PutMetricAlarm", f"arn:aws:cloudwatch:{REGION}:{ACCOUNT}:alarm:hello-service-two-dev-5xx"),
        ("codebuild:UpdateProject", f"arn:aws:codebuild:{REGION}:{ACCOUNT}:project/hello-service-two-build"),
        ("ecs:UpdateService", f"arn:aws:ecs:{REGION}:{ACCOUNT}:service/hello-service-two-dev/hello-service-two-dev"),
        ("events:PutTargets", f"arn:aws:events:{REGION}:{ACCOUNT}:rule/hello-service-two-push"),
    ],
)
def test_the_deploy_role_cannot_change_a_service_whose_name_starts_alike(
    stacks_of: Callable[..., Stacks], action: str, resource: str
) -> None:
    environment = None if action.startswith(("codebuild:", "events:")) else "dev"
    statements = deploy_role(stacks_of(), environment)
    ecs = {"application-autoscaling:service-namespace": "ecs"}
    assert not allowed(statements, action, resource, ecs | {TAG_OF_RESOURCE: "hello-service-two"})
    own = resource.replace("-two", "")
    assert allowed(statements, action, own, ecs | OWN)
    assert allowed(statements, action, own, ecs), "a resource that does not exist yet has no tag"


def test_the_deploy_role_creates_roles_only_with_the_boundary(stacks_of: Callable[..., Stacks]) -> None:
    stacks = stacks_of()
    statements = deploy_role(stacks)
    role = f"arn:aws:iam::{ACCOUNT}:role/hello-service/dev/some-role"
    for action in ("CreateRole", "PutRolePolicy", "AttachRolePolicy", "PutRolePermissionsBoundary", "DeleteRolePolicy"):
        assert allowed(statements, f"iam:{action}", role, {"iam:PermissionsBoundary": boundary_arn(stacks)})
        assert not allowed(statements, f"iam:{action}", role)
        assert not allowed(statements, f"iam:{action}", role, {"iam:PermissionsBoundary": "arn:aws:any"})
        elsewhere = f"arn:aws:iam::{ACCOUNT}:role/some-role"
        assert not allowed(statements, f"iam:{action}", elsewhere, {"iam:PermissionsBoundary": boundary_arn(stacks)})


@pytest.mark.parametrize(
    "action",
    [
        "AttachRolePolicy",
        "CreatePolicyVersion",
        "DeletePolicy",
        "DeletePolicyVersion",
        "DeleteRole",
        "DeleteRolePermissionsBoundary",
        "DeleteRolePolicy",
        "DetachRolePolicy",
        "PassRole",
        "PutRolePolicy",
        "SetDefaultPolicyVersion",
        "UpdateAssumeRolePolicy",
    ],
)
def test_the_deploy_role_cannot_change_itself_or_its_policies(stacks_of: Callable[..., Stacks], action: str) -> None:
    stacks = stacks_of()
    policies = [arn for stack in stacks.values() for arn in stack.own_policies]
    roles = [trust(stacks, one)._arn("DeployRole") for one in (None, "dev", "staging", "prod")]
    assert boundary_arn(stacks) in policies
    # Also if an owner allows the role to manage policies of the service.
    owners = {"Effect": "Allow", "Action": "iam:*Policy*", "Resource": f"arn:aws:iam::{ACCOUNT}:policy/hello-service/*"}
    for environment in (None, "dev"):
        statements = [*deploy_role(stacks, environment), owners]
        boundary = boundary_arn(stacks, environment)
        context = {"iam:PermissionsBoundary": boundary, "iam:PassedToService": "codebuild.amazonaws.com"}
        for arn in (*roles, *policies):
            assert not allowed(statements, f"iam:{action}", arn, context)


def test_the_deploy_role_cannot_remove_a_boundary(stacks_of: Callable[..., Stacks]) -> None:
    stacks = stacks_of()
    for environment in (None, "dev"):
        role = f"arn:aws:iam::{ACCOUNT}:role{names.role_path('hello-service', environment)}some-role"
        context = {"iam:PermissionsBoundary": boundary_arn(stacks, environment)}
        assert not allowed(deploy_role(stacks, environment), "iam:DeleteRolePermissionsBoundary", role, context)


@pytest.mark.parametrize(
    "action", ["iam:CreateUser", "iam:CreatePolicy", "iam:CreatePolicyVersion", "sts:AssumeRole", "kms:PutKeyPolicy",
               "s3:DeleteObject", "s3:PutBucketPolicy", "ecr:DeleteRepository", "cloudformation:UpdateStack"]
)  # fmt: skip
def test_the_deploy_role_cannot_change_the_foundation(stacks_of: Callable[..., Stacks], action: str) -> None:
    for environment in (None, "dev"):
        statements = deploy_role(stacks_of(), environment)
        assert not allowed(statements, action, "*", OWN)
        assert not allowed(statements, action, f"arn:aws:any:{REGION}:{ACCOUNT}:any/hello-service", OWN)


@pytest.mark.parametrize("service", ["lambda.amazonaws.com", "ec2.amazonaws.com", "cloudformation.amazonaws.com"])
def test_the_deploy_role_cannot_pass_roles_to_other_services(stacks_of: Callable[..., Stacks], service: str) -> None:
    for environment in (None, "dev"):
        role = f"arn:aws:iam::{ACCOUNT}:role{names.role_path('hello-service', environment)}some-role"
        passed = {"iam:PassedToService": service}
        assert not allowed(deploy_role(stacks_of(), environment), "iam:PassRole", role, passed)


@pytest.mark.parametrize("service", ["cloudformation", "codepipeline", "codebuild", "ecs-tasks"])
def test_deploy_roles_are_passed_by_the_delivery_only(stacks_of: Callable[..., Stacks], service: str) -> None:
    """CodePipeline may check that who defines a pipeline can pass the roles that its actions name."""
    stacks, passed = stacks_of(), {"iam:PassedToService": f"{service}.amazonaws.com"}
    for named in (None, "dev", "prod"):
        role, may = trust(stacks, named)._arn("DeployRole"), service in ("cloudformation", "codepipeline")
        assert allowed(deploy_role(stacks, None), "iam:PassRole", role, passed) is may
        assert not allowed(deploy_role(stacks, "dev"), "iam:PassRole", role, passed)


@pytest.mark.parametrize(("own", "other"), [("dev", "prod"), ("prod", "dev"), ("dev", None), (None, "prod")])
def test_a_deploy_role_touches_nothing_of_another_environment(
    stacks_of: Callable[..., Stacks], own: str | None, other: str | None
) -> None:
    """Neither a role, nor a boundary, nor a resource with its tags or names; both ways."""
    stacks = stacks_of()
    statements = deploy_role(stacks, own)
    for stack in stacks.values():
        if stack.kind in PERSONS or _environment_of(stack) != other:
            continue
        for logical, resource in stack.resources.items():
            kind = resource["Type"]
            for action in calls(kind):
                if action in HARMLESS or action.partition(":")[2].startswith(READING):
                    continue
                context = {
                    TAG_OF_RESOURCE: "hello-service",
                    **({ENVIRONMENT_OF_RESOURCE: other} if other else {}),
                    "application-autoscaling:service-namespace": "ecs",
                    "iam:PermissionsBoundary": boundary_arn(stacks, other),
                    "iam:PassedToService": PASSED_TO.get(kind, ""),
                }
                arn = ARN_OF.get(kind, "arn:aws:any").format(**resource["Properties"])
                if action == "iam:PassRole":
                    arn = f"arn:aws:iam::{ACCOUNT}:role{names.role_path('hello-service', other)}some-role"
                assert not allowed(statements, action, arn, context), f"{stack.name} {logical}: {action} on {arn}"


def test_a_container_cannot_become_the_deployer(stacks_of: Callable[..., Stacks]) -> None:
    stacks = stacks_of()
    for environment in ("dev", "prod"):
        limit = boundary(stacks, environment)
        for named in (None, "dev", "prod"):
            role = trust(stacks, named)._arn("DeployRole")
            for action in ("sts:AssumeRole", "iam:PassRole", "iam:UpdateAssumeRolePolicy"):
                for service in ("cloudformation", "codepipeline", "ecs-tasks"):
                    assert not allowed(limit, action, role, {"iam:PassedToService": f"{service}.amazonaws.com"})
        for action in ("CreateStack", "UpdateStack", "ExecuteChangeSet", "SetStackPolicy"):
            assert not allowed(limit, f"cloudformation:{action}", stack_arn(f"hello-service-{environment}-service"))


def granted_to(statements: list[dict[str, Any]], service: str) -> list[dict[str, Any]]:
    """The statements of a resource policy for a service principal."""
    return [one for one in statements if service in as_list(one["Principal"].get("Service", []))]


@pytest.mark.parametrize("answers", FEW.values(), ids=FEW)
def test_alarms_publish_to_the_topic_and_those_of_others_do_not(
    stacks_of: Callable[..., Stacks], answers: dict[str, Any]
) -> None:
    stacks = stacks_of(**answers)
    foundation = one(stacks, "foundation")
    ((_, policy),) = foundation.of_type("AWS::SNS::TopicPolicy")
    statements = granted_to(policy["PolicyDocument"]["Statement"], "cloudwatch.amazonaws.com")
    topic = foundation.outputs["NotificationTopicArn"]
    alarms = [stack._arn(logical) for stack, logical, _ in every(stacks, "AWS::CloudWatch::Alarm")]
    assert alarms
    for arn in alarms:
        source = {"aws:SourceArn": arn, "aws:SourceAccount": ACCOUNT}
        assert allowed(statements, "sns:Publish", topic, source)
        assert not allowed(statements, "sns:Publish", topic, source | {"aws:SourceAccount": "999999999999"})
        assert not allowed(statements, "sns:Publish", topic, source | {"aws:SourceArn": arn.replace(ACCOUNT, "9" * 12)})


@pytest.mark.parametrize("service", ["cloudwatch.amazonaws.com", "events.amazonaws.com"])
def test_services_use_the_key_for_the_topic_only(stacks_of: Callable[..., Stacks], service: str) -> None:
    foundation = one(stacks_of(), "foundation")
    ((_, key),) = foundation.of_type("AWS::KMS::Key")
    statements = granted_to(key["KeyPolicy"]["Statement"], service)
    context, topic = "kms:EncryptionContext:aws:sns:topicArn", foundation.outputs["NotificationTopicArn"]
    for action in ("kms:Decrypt", "kms:GenerateDataKey"):
        assert allowed(statements, action, context={context: topic})
        assert not allowed(statements, action, context={context: f"{topic}-other"})
        assert not allowed(statements, action)


def test_messages_of_eventbridge_need_no_condition_that_it_cannot_meet(stacks_of: Callable[..., Stacks]) -> None:
    foundation = one(stacks_of(), "foundation")
    ((_, policy),) = foundation.of_type("AWS::SNS::TopicPolicy")
    statements = granted_to(policy["PolicyDocument"]["Statement"], "events.amazonaws.com")
    assert allowed(statements, "sns:Publish", foundation.outputs["NotificationTopicArn"])


def example(pattern: str) -> str:
    """A value that matches a pattern."""
    return "arn:aws:any" if pattern == "*" else pattern.replace("*", "example")


@pytest.mark.parametrize("answers", FEW.values(), ids=FEW)
def test_the_boundary_allows_the_permissions_of_all_roles(
    stacks_of: Callable[..., Stacks], answers: dict[str, Any]
) -> None:
    stacks = stacks_of(**answers)
    app = one(stacks, "foundation").parameters["AppName"]
    for stack in stacks.values():
        if stack.kind in PERSONS:
            continue
        environment = _environment_of(stack)
        context = {
            TAG_OF_RESOURCE: app,
            **({ENVIRONMENT_OF_RESOURCE: environment} if environment else {}),
            "iam:PassedToService": "cloudformation.amazonaws.com",
        }
        for role in roles_of(stack):
            for statement in statements_of(stack, role):
                if statement["Effect"] == "Deny":
                    continue
                for action in as_list(statement["Action"]):
                    for pattern in as_list(statement["Resource"]):
                        concrete = example(action), example(pattern)
                        what = f"{stack.kind} {role}: {action} on {pattern}"
                        given = statement.get("Condition", {}).get("StringEquals", {})
                        keys = ("iam:PassedToService", "kms:EncryptionContext:SecretARN")
                        passed = {key: given[key] for key in keys if key in given}
                        assert allowed(boundary(stacks, environment), *concrete, context | passed), what


@pytest.mark.parametrize(
    ("action", "resource"),
    [
        ("iam:CreateRole", f"arn:aws:iam::{ACCOUNT}:role/hello-service/x"),
        ("iam:PutRolePolicy", f"arn:aws:iam::{ACCOUNT}:role/hello-service/x"),
        ("iam:PassRole", f"arn:aws:iam::{ACCOUNT}:role/admin"),
        ("sts:AssumeRole", f"arn:aws:iam::{ACCOUNT}:role/admin"),
        ("s3:GetObject", "arn:aws:s3:::some-other-bucket/key"),
        ("cloudformation:UpdateStack", f"arn:aws:cloudformation:{REGION}:{ACCOUNT}:stack/hello-service-foundation/x"),
        ("cloudformation:UpdateStack", f"arn:aws:cloudformation:{REGION}:{ACCOUNT}:stack/other-pipeline/x"),
        ("cloudformation:UpdateStack", f"arn:aws:cloudformation:{REGION}:{ACCOUNT}:stack/hello-service-two-pipeline/x"),
        *(
            (
                "cloudformation:UpdateStack",
                f"arn:aws:cloudformation:{REGION}:{ACCOUNT}:stack/hello-service-two-a-{kind}/x",
            )
            for kind in ("network", "environment", "task-definition", "alarms", "service")
        ),
        *(
            ("cloudformation:UpdateStack", f"arn:aws:cloudformation:{REGION}:{ACCOUNT}:stack/hello-service-{name}/x")
            for name in ("permissions", "dev-deploy-role")
        ),
        ("ecr:DeleteRepository", f"arn:aws:ecr:{REGION}:{ACCOUNT}:repository/hello-service"),
        ("ecr:BatchDeleteImage", f"arn:aws:ecr:{REGION}:{ACCOUNT}:repository/hello-service"),
        ("ecr:PutImage", f"arn:aws:ecr:{REGION}:{ACCOUNT}:repository/other-service"),
        ("kms:ScheduleKeyDeletion", "*"),
        ("logs:PutLogEvents", f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:/hello-service-two/prod"),
        ("codecommit:GitPush", f"arn:aws:codecommit:{REGION}:{ACCOUNT}:hello-service"),
    ],
)
def test_the_boundaries_deny_all_else(stacks_of: Callable[..., Stacks], action: str, resource: str) -> None:
    for environment in (None, "dev"):
        context = OWN | {"iam:PassedToService": "cloudformation.amazonaws.com", REFERENCES: "refs/heads/main"}
        # Stacks are told apart by their tag, since the name of another service may begin alike.
        others = {TAG_OF_RESOURCE: "hello-service-two"} if "stack/hello-service-two" in resource else {}
        assert not allowed(boundary(stacks_of(), environment), action, resource, context | others)


def test_the_boundary_denies_traffic_shifts_of_others(stacks_of: Callable[..., Stacks]) -> None:
    limit = boundary(stacks_of())
    targets = f"arn:aws:elasticloadbalancing:{REGION}:{ACCOUNT}:targetgroup/any/1"
    for action, resource in (("ModifyRule", RULE), ("RegisterTargets", targets)):
        call = f"elasticloadbalancing:{action}"
        assert allowed(limit, call, resource, OWN)
        assert not allowed(limit, call, resource)
        for others in ({TAG_OF_RESOURCE: "other-service"}, {ENVIRONMENT_OF_RESOURCE: "prod"}):
            assert not allowed(limit, call, resource, OWN | others)


def test_the_boundary_denies_builds_of_a_service_whose_name_starts_alike(stacks_of: Callable[..., Stacks]) -> None:
    limit = boundary(stacks_of(), None)
    project = f"arn:aws:codebuild:{REGION}:{ACCOUNT}:project/hello-service-{{}}"
    assert allowed(limit, "codebuild:StartBuild", project.format("build"), OWN)
    other = {TAG_OF_RESOURCE: "hello-service-two"}
    assert not allowed(limit, "codebuild:StartBuild", project.format("two-build"), other)


def test_what_answers_add_is_allowed_once_and_by_whole_words(stacks_of: Callable[..., Stacks]) -> None:
    answers = {"customize": True, "waf": "managed", "flow_logs": True, "database": "postgres"}
    stack = stacks_of(environments="live", domain_name="shop.example.com", hosted_zone_id="Z1234567890", **answers)
    ((_, policy),) = one(stack, "deploy-options").of_type("AWS::IAM::ManagedPolicy")
    statements = policy["PolicyDocument"]["Statement"]
    patterns = [pattern for statement in statements for pattern in as_list(statement["Action"])]
    assert [pattern for pattern in patterns if re.search(r"\*[a-z]", pattern)] == []
    everywhere = [as_list(statement["Action"]) for statement in statements if statement["Resource"] == "*"]
    unconditional = [pattern for statement in everywhere for pattern in statement]
    assert [
        (one, other)
        for index, one in enumerate(unconditional)
        for other in unconditional[index + 1 :]
        if matches(one, other) or matches(other, one)
    ] == []


@pytest.mark.parametrize("answers", FEW.values(), ids=FEW)
def test_only_the_roles_of_its_own_environment_or_of_the_delivery_delete_a_log(
    stacks_of: Callable[..., Stacks], answers: dict[str, Any]
) -> None:
    stacks = stacks_of(**answers)
    app = one(stacks, "foundation").parameters["AppName"]
    updated = [stack for stack in stacks.values() if stack.kind not in PERSONS]
    roles = {environment: deploy_role(stacks, environment) for environment in set(map(_environment_of, updated))}
    for stack in updated:
        owner = _environment_of(stack)
        tags = {TAG_OF_RESOURCE: app} | ({ENVIRONMENT_OF_RESOURCE: owner} if owner else {})
        for _, group in stack.of_type("AWS::Logs::LogGroup"):
            arn = ARN_OF["AWS::Logs::LogGroup"].format(**group)
            for action in ("DeleteLogGroup", "DeleteLogStream", "PutRetentionPolicy", "DisassociateKmsKey"):
                may = {one for one, statements in roles.items() if allowed(statements, f"logs:{action}", arn, tags)}
                assert may <= {owner}, (group["LogGroupName"], action, may)


def stack_arn(name: str) -> str:
    return f"arn:aws:cloudformation:{REGION}:{ACCOUNT}:stack/{name}/0123"


@pytest.fixture(scope="module")
def pipeline_role(stacks_of: Callable[..., Stacks]) -> list[Any]:
    return list(statements_of(one(stacks_of(), "build"), "PipelineRole"))


def test_the_pipeline_can_only_update_its_own_stacks(pipeline_role: list[Any]) -> None:
    update = "cloudformation:UpdateStack"
    environment = ("network", "environment", "task-definition", "alarms", "service")
    names = (
        "build",
        "checks",
        "events",
        "pipeline",
        "plans",
        "pull-requests",
        "releases",
        "tests",
        *(f"{e}-{kind}" for e in ("dev", "prod") for kind in environment),
    )
    for name in names:
        assert allowed(pipeline_role, update, stack_arn(f"hello-service-{name}"))
    for name in ("foundation", "permissions", "dev-deploy-role", "qa-service", "dev-other"):
        assert not allowed(pipeline_role, update, stack_arn(f"hello-service-{name}"))


def test_the_pipeline_itself_makes_and_executes_no_change_set(pipeline_role: list[Any]) -> None:
    for name in ("dev-service", "staging-environment", "prod-environment", "prod-service", "pipeline", "build"):
        for action in ("CreateChangeSet", "ExecuteChangeSet"):
            assert not allowed(pipeline_role, f"cloudformation:{action}", stack_arn(f"hello-service-{name}"))


def test_a_plan_makes_change_sets_of_production_and_executes_none(stacks_of: Callable[..., Stacks]) -> None:
    stacks = stacks_of()
    role = build_role(one(stacks, "checks"), "PlanRole")
    own, others = {CHANGE_SET: "plan-0123"}, {CHANGE_SET: "scaffold-deploy"}
    for kind in ("network", "environment", "task-definition", "alarms", "service"):
        arn = stack_arn(f"hello-service-prod-{kind}")
        for action in ("CreateChangeSet", "DescribeChangeSet", "DeleteChangeSet"):
            assert allowed(role, f"cloudformation:{action}", arn, own)
            assert allowed(boundary(stacks, None), f"cloudformation:{action}", arn, own | OWN)
            if kind != "task-definition":  # It may have no tags.
                assert not allowed(boundary(stacks, None), f"cloudformation:{action}", arn, own)
            assert not allowed(role, f"cloudformation:{action}", arn, others)
        for action in ("DescribeStacks", "GetTemplate", "GetStackPolicy"):
            assert allowed(role, f"cloudformation:{action}", arn)
        for action in ("ExecuteChangeSet", "UpdateStack", "DeleteStack", "SetStackPolicy", "TagResource"):
            assert not allowed(role, f"cloudformation:{action}", arn, own)
    for name in ("pipeline", "foundation"):
        assert not allowed(role, "cloudformation:CreateChangeSet", stack_arn(f"hello-service-{name}"), own)
    other, tags = stack_arn("hello-service-two-prod-service"), {TAG_OF_RESOURCE: "hello-service-two"}
    assert not allowed(boundary(stacks, None), "cloudformation:CreateChangeSet", other, own | tags)
    actions = [action for statement in role for action in as_list(statement["Action"])]
    assert not [action for action in actions if action.startswith("iam:") or "*" in action]


def test_the_pipeline_passes_the_deploy_role_to_cloudformation_only(
    stacks_of: Callable[..., Stacks], pipeline_role: list[Any]
) -> None:
    for environment in (None, "dev", "prod"):
        arn = trust(stacks_of(), environment)._arn("DeployRole")
        assert allowed(pipeline_role, "iam:PassRole", arn, {"iam:PassedToService": "cloudformation.amazonaws.com"})
        assert not allowed(pipeline_role, "iam:PassRole", arn, {"iam:PassedToService": "codebuild.amazonaws.com"})


def test_every_action_uses_the_deploy_role_of_its_environment(stacks_of: Callable[..., Stacks]) -> None:
    stacks = stacks_of()
    ((_, pipeline),) = one(stacks, "pipeline").of_type("AWS::CodePipeline::Pipeline")
    for stage in pipeline["Stages"]:
        for action in stage["Actions"]:
            if arn := action.get("Configuration", {}).get("RoleArn"):
                environment = _environment_of(stacks[action["Configuration"]["StackName"]])
                assert arn == trust(stacks, environment)._arn("DeployRole")


def build_role(stack: Stack, role: str) -> list[Any]:
    return list(statements_of(stack, role))


def test_only_the_build_of_main_reads_its_secrets(stacks_of: Callable[..., Stacks]) -> None:
    stacks = stacks_of(**FEW["one environment, linear, arm64"])
    parameter = f"arn:aws:ssm:{REGION}:{ACCOUNT}:parameter/{{}}".format
    own = [parameter(f"hello-service/build/{name}") for name in ("NPM_TOKEN", "SENTRY_AUTH_TOKEN")]
    others = [
        parameter(name) for name in ("hello-service/build/OTHER", "hello-service/live/NPM_TOKEN", "x/build/NPM_TOKEN")
    ]
    for stack in stacks.values():
        for role in roles_of(stack):
            statements = statements_of(stack, role)
            for arn in (*own, *others):
                mine = role == "BuildRole" and arn in own
                assert allowed(statements, "ssm:GetParameters", arn) is mine, (stack.name, role, arn)
            for action in ("GetParameter", "GetParametersByPath", "GetParameterHistory", "PutParameter"):
                assert not allowed(statements, f"ssm:{action}", own[0]), (stack.name, role)
    limit = boundary(stacks, None)
    assert [allowed(limit, "ssm:GetParameters", arn) for arn in (*own, *others)] == [True, True, True, False, False]
    given = {
        project["Name"]: {one["Name"]: one["Value"] for one in variables if one.get("Type") == "PARAMETER_STORE"}
        for _, _, project in every(stacks, "AWS::CodeBuild::Project")
        if (variables := project["Environment"].get("EnvironmentVariables"))
    }
    expected = {name: f"/hello-service/build/{name}" for name in ("NPM_TOKEN", "SENTRY_AUTH_TOKEN")}
    assert {name: found for name, found in given.items() if found} == {"hello-service-build": expected}


def test_builds_can_only_push_to_and_scan_their_repository(stacks_of: Callable[..., Stacks]) -> None:
    statements = build_role(one(stacks_of(), "build"), "BuildRole")
    own = f"arn:aws:ecr:{REGION}:{ACCOUNT}:repository/hello-service"
    for action in ("PutImage", "UploadLayerPart", "BatchGetImage", "DescribeImages", "StartImageScan",
                   "DescribeImageScanFindings"):  # fmt: skip
        assert allowed(statements, f"ecr:{action}", own)
        assert not allowed(statements, f"ecr:{action}", own + "-two")
    for action in ("ecr:GetAuthorizationToken", "ecr-public:GetAuthorizationToken", "sts:GetServiceBearerToken"):
        assert allowed(statements, action)
    assert not allowed(statements, "s3:PutObject", "arn:aws:s3:::any/key")


BUCKET = "arn:aws:s3:::hello-service-foundation-artifactbucket-0123456789ab"
RECORD = f"{BUCKET}/releases/20260131-0915-0123456789ab/release.json"
IF_NEW = {"s3:if-none-match": "*"}


def test_builds_create_records_of_releases_and_change_none(stacks_of: Callable[..., Stacks]) -> None:
    for statements in (build_role(one(stacks_of(), "build"), "BuildRole"), boundary(stacks_of(), None)):
        assert allowed(statements, "s3:PutObject", RECORD, IF_NEW)
    statements = build_role(one(stacks_of(), "build"), "BuildRole")
    assert not allowed(statements, "s3:PutObject", RECORD)
    # Neither artifacts nor what is beside the folders of the releases.
    for key in ("hello-service/Source/abc", "releases/production.json"):
        assert not allowed(statements, "s3:PutObject", f"{BUCKET}/{key}", IF_NEW)
    for action in ("DeleteObject", "PutObjectAcl", "PutObjectTagging"):
        assert not allowed(statements, f"s3:{action}", RECORD, IF_NEW)


@pytest.mark.parametrize("answers", FEW.values(), ids=FEW)
def test_neither_checks_nor_the_application_write_records(
    stacks_of: Callable[..., Stacks], answers: dict[str, Any]
) -> None:
    stacks = stacks_of(**answers)
    bucket = one(stacks, "foundation").outputs["ArtifactBucketArn"]
    record = RECORD.replace(BUCKET, bucket)
    writing = {
        logical
        for stack in stacks.values()
        for logical, _ in stack.of_type("AWS::IAM::Role")
        if any(
            allowed(list(statements_of(stack, logical)), "s3:PutObject", record, {**OWN, **context})
            for context in ({}, IF_NEW)
        )
    }
    # CodePipeline stores its artifacts.
    assert writing == {"BuildRole", "PipelineRole", "ReleaseRole"}


def test_the_releases_role_writes_records_and_release_tags_only(stacks_of: Callable[..., Stacks]) -> None:
    stacks = stacks_of()
    role = build_role(one(stacks, "releases"), "ReleaseRole")
    push = "codecommit:GitPush"
    for statements in (role, boundary(stacks, None)):
        assert allowed(statements, push, REPOSITORY, {REFERENCES: "refs/tags/v20260131-0915-0123456789ab"})
        # As in the first call of a push.
        assert allowed(statements, push, REPOSITORY)
        for reference in ("refs/heads/main", "refs/heads/v1", "refs/tags/latest", "refs/tags", "HEAD"):
            assert not allowed(statements, push, REPOSITORY, {REFERENCES: reference})
    # However AWS states several references.
    assert not allowed(role, push, REPOSITORY, {REFERENCES: ["refs/tags/v1", "refs/heads/main"]})
    assert not allowed(role, push, f"{REPOSITORY}-two", {REFERENCES: "refs/tags/v1"})
    for key in ("releases/production.json", "releases/20260131-0915-0123456789ab/release.json"):
        assert allowed(role, "s3:PutObject", f"{BUCKET}/{key}")
    assert not allowed(role, "s3:PutObject", f"{BUCKET}/hello-service/Source/abc")
    assert allowed(role, "s3:ListBucket", BUCKET, {"s3:prefix": "releases/production.json"})
    for context in ({}, {"s3:prefix": "hello-service/"}):
        assert not allowed(role, "s3:ListBucket", BUCKET, context)
    actions = {
        action for statement in role if statement["Effect"] == "Allow" for action in as_list(statement["Action"])
    }
    assert actions == {
        *("codecommit:GetRepository", "codecommit:GitPull", "codecommit:GitPush", "codepipeline:ListActionExecutions"),
        *("kms:Decrypt", "kms:GenerateDataKey*", "logs:CreateLogStream", "logs:PutLogEvents"),
        *("s3:GetBucketAcl", "s3:GetBucketLocation", "s3:GetObject", "s3:GetObjectVersion"),
        *("s3:ListBucket", "s3:PutObject"),
    }


def test_the_roles_of_branches_move_them_and_approve_what_was_merged(stacks_of: Callable[..., Stacks]) -> None:
    stacks = stacks_of(promotion="branches", auto_promote="staging")
    releases, limit = one(stacks, "releases"), boundary(stacks, None)
    role, push = build_role(releases, "ReleaseRole"), "codecommit:GitPush"
    for reference in ("refs/heads/env/prod", "refs/heads/candidate/prod", "refs/tags/v1"):
        assert allowed(role, push, REPOSITORY, {REFERENCES: reference})
        assert allowed(limit, push, REPOSITORY, {REFERENCES: reference})
    for references in ("refs/heads/main", "refs/heads/topic", ["refs/heads/env/prod", "refs/heads/main"]):
        assert not allowed(role, push, REPOSITORY, {REFERENCES: references})
    for action in ("CreatePullRequest", "GetPullRequest", "ListPullRequests", "UpdatePullRequestTitle"):
        assert allowed(role, f"codecommit:{action}", REPOSITORY)
        assert allowed(limit, f"codecommit:{action}", REPOSITORY)
        assert not allowed(role, f"codecommit:{action}", f"{REPOSITORY}-two")
    approving = build_role(releases, "BranchesRole")
    for statements in (approving, limit):
        assert allowed(statements, APPROVE, f"{PIPELINE}/Approve-Prod/Approval")
        assert not allowed(statements, APPROVE, f"{PIPELINE}/Approve-Gate/Approval")
        assert not allowed(statements, APPROVE, f"{PIPELINE}-two/Approve-Prod/Approval")
        for action in ("MergePullRequestByFastForward", "UpdatePullRequestApprovalRuleContent", "DeleteBranch"):
            assert not allowed(statements, f"codecommit:{action}", REPOSITORY)
    # Staging has no approval.
    assert not allowed(approving, APPROVE, f"{PIPELINE}/Approve-Staging/Approval")
    assert not allowed(approving, push, REPOSITORY, {REFERENCES: "refs/heads/env/prod"})


def test_no_other_role_pushes(stacks_of: Callable[..., Stacks]) -> None:
    for stack in stacks_of().values():
        for logical, _ in stack.of_type("AWS::IAM::Role"):
            context = {**OWN, REFERENCES: "refs/tags/v1"}
            pushes = allowed(list(statements_of(stack, logical)), "codecommit:GitPush", REPOSITORY, context)
            assert pushes == (logical == "ReleaseRole"), logical


@pytest.mark.parametrize(("kind", "resource"), [("build", "Build"), ("tests", "Tests"), ("tests", "LoadTest")])
def test_builds_can_write_the_reports_of_their_buildspec(
    generated: Callable[..., Path], stacks_of: Callable[..., Stacks], kind: str, resource: str
) -> None:
    stack = one(stacks_of(load_test="dev"), kind)
    project = stack.resources[f"{resource}Project"]["Properties"]
    reports = yaml.safe_load((generated(load_test="dev") / project["Source"]["BuildSpec"]).read_text())["reports"]
    groups = {f"{project['Name']}-{report}" for report in reports}
    resource = "Tests" if resource == "LoadTest" else resource
    assert groups <= {properties["Name"] for _, properties in stack.of_type("AWS::CodeBuild::ReportGroup")}
    for action in ("CreateReportGroup", "CreateReport", "UpdateReport", "BatchPutTestCases"):
        for name in groups:
            arn = f"arn:aws:codebuild:{REGION}:{ACCOUNT}:report-group/{name}"
            assert allowed(build_role(stack, f"{resource}Role"), f"codebuild:{action}", arn)
            assert not allowed(build_role(stack, f"{resource}Role"), f"codebuild:{action}", f"{arn}-two")


def test_builds_cannot_scan_without_a_gate(stacks_of: Callable[..., Stacks]) -> None:
    statements = build_role(one(stacks_of(scan_gate="off"), "build"), "BuildRole")
    assert not allowed(statements, "ecr:StartImageScan", f"arn:aws:ecr:{REGION}:{ACCOUNT}:repository/hello-service")


def test_checks_can_only_read_and_write_logs(stacks_of: Callable[..., Stacks]) -> None:
    statements = build_role(one(stacks_of(), "checks"), "ChecksRole")
    actions = sorted(action for statement in statements for action in as_list(statement["Action"]))
    bucket = "s3:GetBucketAcl s3:GetBucketLocation s3:GetObject s3:GetObjectVersion"
    stacks = "DescribeStacks GetStackPolicy GetTemplate ValidateTemplate"
    expected = " ".join(f"cloudformation:{name}" for name in stacks.split())
    expected += " cloudwatch:DescribeAlarms codepipeline:GetPipelineExecution codepipeline:ListActionExecutions"
    expected += " elasticloadbalancing:DescribeRules"
    expected += f" kms:Decrypt logs:CreateLogStream logs:PutLogEvents {bucket}"
    expected += " secretsmanager:DescribeSecret ssm:ListTagsForResource"
    assert actions == expected.split()


def test_what_runs_unapproved_tests_can_only_read_the_source_and_write_its_log_and_reports(
    stacks_of: Callable[..., Stacks],
) -> None:
    stacks = stacks_of(load_test="dev")
    statements = build_role(one(stacks, "tests"), "TestsRole")
    of_role = [properties["ServiceRole"] for _, properties in one(stacks, "tests").of_type("AWS::CodeBuild::Project")]
    assert len(of_role) == 2
    assert len(set(map(str, of_role))) == 1
    actions = sorted(action for statement in statements for action in as_list(statement["Action"]))
    reports = "BatchPutTestCases CreateReport CreateReportGroup UpdateReport"
    expected = " ".join(f"codebuild:{name}" for name in reports.split())
    expected += " kms:Decrypt logs:CreateLogStream logs:PutLogEvents"
    expected += " s3:GetBucketAcl s3:GetBucketLocation s3:GetObject s3:GetObjectVersion"
    assert actions == expected.split()
    (bucket,) = [statement["Resource"] for statement in statements if statement.get("Sid") == "Bucket"]
    assert allowed(statements, "s3:GetObject", f"{bucket}/hello-service/Source/abc123")
    for key in ("hello-service/BuildOutput/abc123", "releases/20261126/release.json", "scaffold/templates/x.yaml"):
        assert not allowed(statements, "s3:GetObject", f"{bucket}/{key}")
    log = f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:/hello-service/pipeline"
    for own in ("load-test", "tests"):
        assert allowed(statements, "logs:PutLogEvents", f"{log}/{own}:log-stream:a")
    for other in ("checks", "plan", "gate", "build"):
        assert not allowed(statements, "logs:PutLogEvents", f"{log}/{other}:log-stream:a")


@pytest.mark.parametrize("answers", FEW.values(), ids=FEW)
def test_the_pipeline_may_start_the_builds_that_it_names_and_no_others(
    stacks_of: Callable[..., Stacks], answers: dict[str, Any]
) -> None:
    stacks = stacks_of(**answers)
    ((_, pipeline),) = one(stacks, "pipeline").of_type("AWS::CodePipeline::Pipeline")
    named = {
        action["Configuration"]["ProjectName"]
        for stage in pipeline["Stages"]
        for action in stage["Actions"]
        if action["ActionTypeId"]["Provider"] == "CodeBuild"
    }
    statements = list(statements_of(one(stacks, "build"), "PipelineRole"))
    projects = {project["Name"] for _, _, project in every(stacks, "AWS::CodeBuild::Project")}
    arn = f"arn:aws:codebuild:{REGION}:{ACCOUNT}:project/{{}}".format
    startable = {name for name in projects if allowed(statements, "codebuild:StartBuild", arn(name))}
    # The project of the plans stays where no environment has a plan any more.
    assert startable - named <= {project_names.plan(answers.get("app_name", "hello-service"))}
    assert named <= startable


def test_only_checks_and_tests_read_outputs_of_an_environment(stacks_of: Callable[..., Stacks]) -> None:
    """Their template is not gated, so an output could add variables to the build that reads it."""
    stacks = stacks_of(load_test="dev")
    pipeline = next(r for r in one(stacks, "pipeline").resources.values() if r["Type"] == "AWS::CodePipeline::Pipeline")
    actions = [action for stage in pipeline["Properties"]["Stages"] for action in stage["Actions"]]
    namespaces = [a["Namespace"] for a in actions if a.get("Namespace", "").endswith("Environment")]
    reading = [
        action["Configuration"]["ProjectName"]
        for action in actions
        if action["ActionTypeId"]["Provider"] == "CodeBuild"
        and any(f"#{{{name}." in action["Configuration"].get("EnvironmentVariables", "") for name in namespaces)
    ]
    assert len(reading) == 2 * len(namespaces) + 1
    assert set(reading) == {"hello-service-checks", "hello-service-load-test", "hello-service-tests"}


def test_the_preflight_reads_the_stacks_of_its_service(stacks_of: Callable[..., Stacks]) -> None:
    """Those that do not exist, which have no tags, too; not those of a service whose name starts alike."""
    stacks = stacks_of()
    statements = build_role(one(stacks, "checks"), "ChecksRole")
    for name in ("foundation", "permissions", "prod-deploy-role", "prod-network", "prod-service"):
        for action in ("cloudformation:DescribeStacks", "cloudformation:GetTemplate"):
            for context in ({}, {TAG_OF_RESOURCE: "hello-service"}):
                assert allowed(statements, action, stack_arn(f"hello-service-{name}"), context)
                assert allowed(boundary(stacks, None), action, stack_arn(f"hello-service-{name}"), context)
            other = {TAG_OF_RESOURCE: "hello-service-two"}
            assert not allowed(statements, action, stack_arn(f"hello-service-two-{name}"), other)
        assert not allowed(boundary(stacks, None), "cloudformation:UpdateStack", stack_arn("hello-service-permissions"))


def test_the_merge_gate_can_only_compare_commits_and_write_logs(stacks_of: Callable[..., Stacks]) -> None:
    statements = build_role(one(stacks_of(), "checks"), "GateRole")
    actions = sorted(action for statement in statements for action in as_list(statement["Action"]))
    bucket = "s3:GetBucketAcl s3:GetBucketLocation s3:GetObject s3:GetObjectVersion"
    expected = f"codecommit:GetDifferences kms:Decrypt logs:CreateLogStream logs:PutLogEvents {bucket}"
    assert actions == expected.split()
    assert allowed(statements, "codecommit:GetDifferences", REPOSITORY)
    assert not allowed(statements, "codecommit:GetDifferences", REPOSITORY + "-two")


def test_the_task_role_has_no_permissions(stacks_of: Callable[..., Stacks]) -> None:
    for stack in stacks_of().values():
        if stack.kind == "environment":
            assert statements_of(stack, "TaskRole") == []


REPOSITORY = f"arn:aws:codecommit:{REGION}:{ACCOUNT}:hello-service"
REFERENCES = "codecommit:References"


@pytest.fixture(scope="module")
def developer(stacks_of: Callable[..., Stacks]) -> list[Any]:
    """The statements of a developer who may do everything in CodeCommit, under branch protection."""
    foundation = one(stacks_of(), "foundation")
    protection = foundation.own_policies[foundation.outputs["BranchProtectionArn"]]
    return [{"Effect": "Allow", "Action": "codecommit:*", "Resource": "*"}, *protection]


@pytest.mark.parametrize(
    "action",
    ["CreateBranch", "CreateCommit", "CreateUnreferencedMergeCommit", "DeleteBranch", "DeleteFile", "GitPush",
     "PutFile", "MergeBranchesByFastForward", "MergeBranchesBySquash", "MergeBranchesByThreeWay"]
)  # fmt: skip
def test_branch_protection_denies_direct_changes_of_main(developer: list[Any], action: str) -> None:
    call = f"codecommit:{action}"
    for reference in ("refs/heads/main", "refs/tags/v20260131-0915-0123456789ab"):
        assert not allowed(developer, call, REPOSITORY, {REFERENCES: reference})
    for reference in ("refs/heads/topic", "refs/heads/v1", "refs/tags/latest"):
        assert allowed(developer, call, REPOSITORY, {REFERENCES: reference})
    assert allowed(developer, call, f"{REPOSITORY}-two", {REFERENCES: "refs/heads/main"})
    # As in the first call of a push.
    assert allowed(developer, call, REPOSITORY)


def test_branches_of_environments_are_fast_forwarded_by_pull_requests_only(stacks_of: Callable[..., Stacks]) -> None:
    foundation = one(stacks_of(promotion="branches"), "foundation")
    protection = foundation.own_policies[foundation.outputs["BranchProtectionArn"]]
    developer = [{"Effect": "Allow", "Action": "codecommit:*", "Resource": "*"}, *protection]
    someone = {PRINCIPAL: f"arn:aws:iam::{ACCOUNT}:role/Developers"}
    branch, main = ({REFERENCES: f"refs/heads/{name}", **someone} for name in ("env/prod", "main"))
    for action in ("CreateBranch", "DeleteBranch", "GitPush", "MergeBranchesByFastForward"):
        for reference in ("refs/heads/env/prod", "refs/heads/candidate/prod"):
            assert not allowed(developer, f"codecommit:{action}", REPOSITORY, {REFERENCES: reference})
    for action in ("MergePullRequestBySquash", "MergePullRequestByThreeWay"):
        assert not allowed(developer, f"codecommit:{action}", REPOSITORY, branch)
        assert allowed(developer, f"codecommit:{action}", REPOSITORY, main)
    merge = "codecommit:MergePullRequestByFastForward"
    assert allowed(developer, merge, REPOSITORY, branch)
    approver = foundation.own_policies[foundation.outputs["ApproverArn"]]
    assert allowed(approver, merge, REPOSITORY, branch)
    assert not allowed(approver, merge, REPOSITORY, main)
    # These two have no references, so that they concern main, too, and the policy says so.
    for action in ("UpdatePullRequestApprovalState", "UpdatePullRequestStatus"):
        assert allowed(approver, f"codecommit:{action}", REPOSITORY, someone)
    # With the answer, the approvers merge to these branches, and all others to main only.
    named = one(stacks_of(promotion="branches", approvers="Releasers"), "foundation")
    denied, allows = (named.own_policies[named.outputs[name]] for name in ("BranchProtectionArn", "ApproverArn"))
    developer = [{"Effect": "Allow", "Action": "codecommit:*", "Resource": "*"}, *denied]
    for where, expected in ((branch, False), (main, True)):
        assert allowed(developer, merge, REPOSITORY, where) is expected
        assert allowed(developer, merge, REPOSITORY, {**where, **AS_RELEASER})
    assert allowed(allows, merge, REPOSITORY, {**branch, **AS_RELEASER})
    assert not allowed(allows, merge, REPOSITORY, branch)
    said = foundation.resources["Approver"]["Metadata"]["Description"]
    assert said == "Policy that lets releases and pull requests be approved"


def test_branch_protection_allows_pull_requests_and_keeps_their_approval_rules(developer: list[Any]) -> None:
    main = {REFERENCES: "refs/heads/main"}
    for action in ("MergePullRequestByFastForward", "MergePullRequestBySquash", "MergePullRequestByThreeWay"):
        assert allowed(developer, f"codecommit:{action}", REPOSITORY, main)
    for action in (
        "BatchDisassociateApprovalRuleTemplateFromRepositories",
        "DeletePullRequestApprovalRule",
        "DeleteRepository",
        "DisassociateApprovalRuleTemplateFromRepository",
        "OverridePullRequestApprovalRules",
        "UpdatePullRequestApprovalRuleContent",
        "UpdateRepositoryName",
    ):
        assert not allowed(developer, f"codecommit:{action}", REPOSITORY)
        assert allowed(developer, f"codecommit:{action}", f"{REPOSITORY}-two")


def test_branch_protection_lets_nobody_have_the_role_of_a_build(stacks_of: Callable[..., Stacks]) -> None:
    """StartBuild and UpdateProject take commands of the caller, which run with the role of the project."""
    foundation = one(stacks_of(), "foundation")
    protection = foundation.own_policies[foundation.outputs["BranchProtectionArn"]]
    developer = [{"Effect": "Allow", "Action": "codebuild:*", "Resource": "*"}, *protection]
    own, other = ({TAG_OF_RESOURCE: name} for name in ("hello-service", "hello-service-two"))
    sandbox = {"StartCommandExecution", "StartSandbox", "StartSandboxConnection"}
    taking = {"StartBuild", "StartBuildBatch", "UpdateProject", "UpdateProjectVisibility"} | sandbox
    operations = set(botocore.session.Session().get_service_model("codebuild").operation_names)
    for project in ("branches", "build", "drift", "pr-plan", "pr-tests", "pr-verdict", "release"):
        arn = f"arn:aws:codebuild:{REGION}:{ACCOUNT}:project/hello-service-{project}"
        assert {name for name in operations if not allowed(developer, f"codebuild:{name}", arn, own)} == taking
        # Without a tag that is known, nobody has it either.
        assert not allowed(developer, "codebuild:StartBuild", arn)
    two = f"arn:aws:codebuild:{REGION}:{ACCOUNT}:project/hello-service-two-build"
    assert allowed(developer, "codebuild:StartBuild", two, other)


def test_every_writing_action_of_codecommit_is_denied_or_cannot_lift_branch_protection(developer: list[Any]) -> None:
    """An action that AWS adds belongs into the policy, or into this list."""
    # They add rules, change no branch, or are part of a pull request. Deleting main takes DeleteBranch. Templates of
    # approval rules have no resource in IAM, so that a denial would concern every service of the account.
    harmless = {
        "AssociateApprovalRuleTemplateWithRepository",
        "BatchAssociateApprovalRuleTemplateWithRepositories",
        "CreateApprovalRuleTemplate",
        "CreatePullRequest",
        "CreatePullRequestApprovalRule",
        "CreateRepository",
        "DeleteApprovalRuleTemplate",
        "DeleteCommentContent",
        "MergePullRequestByFastForward",
        "MergePullRequestBySquash",
        "MergePullRequestByThreeWay",
        "PostCommentForComparedCommit",
        "PostCommentForPullRequest",
        "PostCommentReply",
        "PutCommentReaction",
        "PutRepositoryTriggers",
        "TagResource",
        "TestRepositoryTriggers",
        "UntagResource",
        "UpdateApprovalRuleTemplateContent",
        "UpdateApprovalRuleTemplateDescription",
        "UpdateApprovalRuleTemplateName",
        "UpdateComment",
        "UpdateDefaultBranch",
        "UpdatePullRequestApprovalState",
        "UpdatePullRequestDescription",
        "UpdatePullRequestStatus",
        "UpdatePullRequestTitle",
        "UpdateRepositoryDescription",
        "UpdateRepositoryEncryptionKey",
        "UploadArchive",
    }
    operations = botocore.session.Session().get_service_model("codecommit").operation_names
    reading = ("BatchDescribe", "BatchGet", "Describe", "Evaluate", "Get", "List")
    writing = {name for name in operations if not name.startswith(reading)} | {"GitPush", "UploadArchive"}
    lifting = {
        name
        for name in writing
        if not allowed(developer, f"codecommit:{name}", REPOSITORY, {REFERENCES: "refs/heads/main"})
    }
    assert lifting.isdisjoint(harmless)
    assert writing == lifting | harmless


PIPELINE = f"arn:aws:codepipeline:{REGION}:{ACCOUNT}:hello-service"
APPROVE = "codepipeline:PutApprovalResult"
CHANGE_SET = "cloudformation:ChangeSetName"


PRINCIPAL = "aws:PrincipalArn"
AS_RELEASER = {PRINCIPAL: f"arn:aws:iam::{ACCOUNT}:role/Releasers"}
IN_PATH = {PRINCIPAL: f"arn:aws:iam::{ACCOUNT}:role/aws-reserved/sso.amazonaws.com/eu-west-1/Releasers"}


def approver(stacks: Stacks) -> list[Any]:
    foundation = one(stacks, "foundation")
    return list(foundation.own_policies[foundation.outputs["ApproverArn"]])


@pytest.mark.parametrize("answers", FEW.values(), ids=FEW)
def test_an_approver_decides_on_the_releases_from_production_on(
    stacks_of: Callable[..., Stacks], answers: dict[str, Any]
) -> None:
    stacks = stacks_of(**answers)
    ((_, pipeline),) = one(stacks, "pipeline").of_type("AWS::CodePipeline::Pipeline")
    for stage in pipeline["Stages"]:
        for action in stage["Actions"]:
            arn = f"arn:aws:codepipeline:{REGION}:{ACCOUNT}:{pipeline['Name']}/{stage['Name']}/{action['Name']}"
            asks = action["ActionTypeId"]["Category"] == "Approval"
            for one_of_them in (AS_RELEASER, IN_PATH):
                assert allowed(approver(stacks), APPROVE, arn, one_of_them) is asks, arn
            other = arn.replace(pipeline["Name"], f"{pipeline['Name']}-two")
            assert not allowed(approver(stacks), APPROVE, other, AS_RELEASER)
            assert not allowed(approver(stacks), APPROVE, arn.replace(REGION, "eu-central-1"), AS_RELEASER)


def test_an_approver_signs_for_nobody_else(stacks_of: Callable[..., Stacks]) -> None:
    answers = {"deployment_strategy": "canary", "approve_running": True}
    (bucket,) = one(stacks_of(**answers), "foundation").of_type("AWS::S3::Bucket")
    arn = one(stacks_of(**answers), "foundation").outputs["ArtifactBucketArn"]
    as_ada = {**AS_RELEASER, "aws:userid": "AROA1:ada"}
    for key, mine in {
        "releases/R/approvals/prod/AROA1:ada.json": True,
        "releases/R/approvals/prod/AROA2:bob.json": False,
        "releases/R/approvals/prod/AROA2:bob/../AROA1:ada.json.json": False,
        "releases/R/release.json": False,
        "releases/production.json": False,
    }.items():
        for action in ("s3:PutObject", "s3:DeleteObject"):
            assert allowed(approver(stacks_of(**answers)), action, f"{arn}/{key}", as_ada) is mine, key
            assert not allowed(approver(stacks_of()), action, f"{arn}/{key}", as_ada), bucket


def test_with_approvers_nobody_else_decides(stacks_of: Callable[..., Stacks]) -> None:
    for answers in ({}, {"approvers": "Releasers, Leads"}):
        foundation = one(stacks_of(**answers), "foundation")
        protection = foundation.own_policies[foundation.outputs["BranchProtectionArn"]]
        administrator = [{"Effect": "Allow", "Action": "*", "Resource": "*"}, *protection]
        for stage in ("Approve-Gate", "Approve-Prod"):
            arn = f"{PIPELINE}/{stage}/Approval"
            for as_one in (AS_RELEASER, IN_PATH):
                assert allowed(approver(stacks_of(**answers)), APPROVE, arn, as_one)
                assert allowed(administrator, APPROVE, arn, as_one)
            for role in ("role/Developers", "role/Releasers/One", "role/Releasers-two", "user/Releasers", "root"):
                as_other = {PRINCIPAL: f"arn:aws:iam::{ACCOUNT}:{role}"}
                assert allowed(administrator, APPROVE, arn, as_other) is (not answers)
                assert allowed(approver(stacks_of(**answers)), APPROVE, arn, as_other) is (not answers)


def test_an_approver_can_only_look_besides(stacks_of: Callable[..., Stacks]) -> None:
    statements = approver(stacks_of())
    actions = [action for statement in statements for action in as_list(statement["Action"])]
    reading = ("BatchGet", "Filter", "Get", "List")
    assert [action for action in actions if not action.partition(":")[2].startswith(reading)] == [APPROVE]
    reads = (
        "GetPipeline",
        "GetPipelineExecution",
        "GetPipelineState",
        "ListActionExecutions",
        "ListPipelineExecutions",
    )
    for action in reads:
        assert allowed(statements, f"codepipeline:{action}", PIPELINE)
        assert not allowed(statements, f"codepipeline:{action}", f"{PIPELINE}-two")
    plans = f"arn:aws:codebuild:{REGION}:{ACCOUNT}:project/hello-service-plan"
    log = f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:/hello-service/pipeline/plan"
    assert allowed(statements, "codebuild:BatchGetBuilds", plans)
    assert allowed(statements, "logs:GetLogEvents", f"{log}:log-stream:one")
    assert not allowed(statements, "codebuild:BatchGetBuilds", plans.replace("-plan", "-build"))
    assert not allowed(statements, "logs:GetLogEvents", log.replace("/plan", "/build:log-stream:one"))


@pytest.mark.parametrize("answers", FEW.values(), ids=FEW)
def test_no_other_policy_approves_releases(stacks_of: Callable[..., Stacks], answers: dict[str, Any]) -> None:
    """Neither the policies for operators, nor a role or policy of any stack."""
    operators = [json.loads(path.read_text()) for path in sorted((ROOT / "docs").glob("operator-policy*.json"))]
    assert operators
    documents = [item for stack in stacks_of(**answers).values() for item in walk(stack.resources)]
    documents += [statement for policy in operators for statement in policy["Statement"]]
    approving = [
        item["Sid"]
        for item in documents
        if item.get("Effect") == "Allow"
        and any(matches(pattern.lower(), APPROVE.lower()) for pattern in as_list(item["Action"]))
    ]
    # The boundary, and the role that approves what was merged.
    assert approving == ["Approve", *(["Delivery", "Approve"] if answers.get("promotion") == "branches" else [])]
