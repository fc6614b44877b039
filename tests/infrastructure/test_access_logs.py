"""The bucket of access logs and flow logs: who may write to it, what is deleted when, and how they are turned off."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.infrastructure.iam import allowed
from tests.infrastructure.stacks import ACCOUNT, REGION, Stack, Stacks, one
from tests.infrastructure.test_permissions import OWN, TAGGED, deploy_role
from tests.infrastructure.variants import EXISTING_VPC, PUBLIC_SUBNETS

TLS = {"aws:SecureTransport": "true"}
BALANCERS, DELIVERY = "logdelivery.elasticloadbalancing.amazonaws.com", "delivery.logs.amazonaws.com"
ACL = "bucket-owner-full-control"
BOTH: dict[str, Any] = {
    "access_logs": True,
    "flow_logs": True,
    "environment_overrides": {
        "dev": {"log_retention_days": 7},
        "prod": {"vpc_id": EXISTING_VPC, "public_subnet_ids": PUBLIC_SUBNETS},
    },
}


@pytest.fixture(scope="module")
def stacks(stacks_of: Callable[..., Stacks]) -> Stacks:
    return stacks_of(customize=True, **BOTH)


@pytest.fixture(scope="module")
def logs(stacks: Stacks) -> Stack:
    return one(stacks, "access-logs")


def may(logs: Stack, principal: str, action: str, resource: str, **context: str) -> bool:
    """Whether the bucket policy lets a service make a call."""
    ((_, policy),) = logs.of_type("AWS::S3::BucketPolicy")
    statements = policy["PolicyDocument"]["Statement"]
    denials = [statement for statement in statements if statement["Effect"] == "Deny"]
    allowing = [statement for statement in statements if statement["Principal"] == {"Service": principal}]
    return allowed(denials + allowing, action, resource, {**TLS, **context})


def test_load_balancers_of_this_account_write_access_logs(logs: Stack) -> None:
    bucket = f"arn:aws:s3:::{logs.outputs['BucketName']}"
    file = f"{bucket}/dev/AWSLogs/{ACCOUNT}/elasticloadbalancing/{REGION}/a.log.gz"
    assert may(logs, BALANCERS, "s3:PutObject", file)
    assert may(logs, BALANCERS, "s3:PutObject", file, **{"aws:SourceAccount": ACCOUNT})
    assert not may(logs, BALANCERS, "s3:PutObject", file, **{"aws:SourceAccount": "999999999999"})
    assert not may(logs, BALANCERS, "s3:PutObject", file, **{"aws:SecureTransport": "false"})
    assert not may(logs, BALANCERS, "s3:PutObject", file.replace(ACCOUNT, "999999999999"))
    assert not may(logs, BALANCERS, "s3:GetObject", file)


def test_the_delivery_of_this_account_writes_flow_logs(logs: Stack) -> None:
    bucket = f"arn:aws:s3:::{logs.outputs['BucketName']}"
    file = f"{bucket}/dev/AWSLogs/{ACCOUNT}/vpcflowlogs/{REGION}/a.log.gz"
    own = {"aws:SourceAccount": ACCOUNT, "aws:SourceArn": f"arn:aws:logs:{REGION}:{ACCOUNT}:any", "s3:x-amz-acl": ACL}
    assert may(logs, DELIVERY, "s3:PutObject", file, **own)
    assert may(logs, DELIVERY, "s3:GetBucketAcl", bucket, **own)
    for key in ("aws:SourceAccount", "aws:SourceArn"):
        for action, resource in (("s3:PutObject", file), ("s3:GetBucketAcl", bucket)):
            assert not may(logs, DELIVERY, action, resource, **own | {key: own[key].replace(ACCOUNT, "999999999999")})
            assert not may(logs, DELIVERY, action, resource, **{name: own[name] for name in own if name != key})
    assert not may(logs, DELIVERY, "s3:PutObject", file, **own | {"s3:x-amz-acl": "private"})
    assert not may(logs, DELIVERY, "s3:PutBucketPolicy", bucket, **own)


def test_each_environment_keeps_its_logs_as_long_as_its_others(logs: Stack) -> None:
    ((_, bucket),) = logs.of_type("AWS::S3::Bucket")
    rules = {rule["Id"]: rule for rule in bucket["LifecycleConfiguration"]["Rules"]}
    assert {name: rule["ExpirationInDays"] for name, rule in rules.items()} == {
        "dev": 7,
        "staging": 30,
        "prod": 30,
        "all-files": 30,
    }
    assert {name: rule.get("Prefix") for name, rule in rules.items()} == {
        "dev": "dev/",
        "staging": "staging/",
        "prod": "prod/",
        "all-files": None,
    }
    # Load balancers write to a bucket with this encryption only.
    (encryption,) = bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    assert encryption["ServerSideEncryptionByDefault"] == {"SSEAlgorithm": "AES256"}


def test_load_balancers_and_vpcs_of_their_own_write_below_their_environment(stacks: Stacks, logs: Stack) -> None:
    name = logs.outputs["BucketName"]
    networks = {stack.parameters["EnvironmentName"]: stack for stack in stacks.values() if stack.kind == "network"}
    assert set(networks) == {"dev", "staging"}
    for environment, stack in networks.items():
        ((_, flow),) = stack.of_type("AWS::EC2::FlowLog")
        assert flow["LogDestination"] == f"arn:aws:s3:::{name}/{environment}/"
        assert (flow["ResourceType"], flow["TrafficType"], flow["LogDestinationType"]) == ("VPC", "ALL", "s3")
    for stack in stacks.values():
        if stack.kind == "environment":
            given = {one["Key"]: one["Value"] for one in stack.resources["LoadBalancer"]["Properties"][ATTRIBUTES]}
            assert given["access_logs.s3.enabled"] == "true"
            assert given["access_logs.s3.bucket"] == name
            assert given["access_logs.s3.prefix"] == stack.parameters["EnvironmentName"]


ATTRIBUTES = "LoadBalancerAttributes"


def test_without_the_answers_load_balancers_are_told_to_stop(stacks_of: Callable[..., Stacks]) -> None:
    """CloudFormation would leave an attribute as it is that the template no longer has."""
    for answers in ({}, {"customize": True, "flow_logs": True}):
        for stack in stacks_of(**answers).values():
            if stack.kind == "environment":
                given = stack.resources["LoadBalancer"]["Properties"][ATTRIBUTES]
                found = [one for one in given if one["Key"].startswith("access_logs.")]
                assert found == [{"Key": "access_logs.s3.enabled", "Value": "false"}]
    assert "access-logs" not in {stack.kind for stack in stacks_of().values()}


def test_only_with_flow_logs_deploy_roles_create_them_and_only_for_their_own_vpc(
    stacks_of: Callable[..., Stacks], stacks: Stacks
) -> None:
    log, vpc = (f"arn:aws:ec2:{REGION}:{ACCOUNT}:{kind}/any" for kind in ("vpc-flow-log", "vpc"))
    statements = deploy_role(stacks)
    assert allowed(statements, "ec2:CreateFlowLogs", log, TAGGED)
    assert allowed(statements, "ec2:CreateFlowLogs", vpc, TAGGED | OWN)
    assert not allowed(statements, "ec2:CreateFlowLogs", vpc, TAGGED)
    other = {"aws:ResourceTag/gitops-scaffold:environment": "prod"}
    assert not allowed(statements, "ec2:CreateFlowLogs", vpc, TAGGED | OWN | other)
    assert allowed(statements, "ec2:CreateTags", log, TAGGED | {"ec2:CreateAction": "CreateFlowLogs"})
    assert not allowed(statements, "ec2:CreateTags", log, TAGGED)
    assert allowed(statements, "ec2:DeleteFlowLogs", log, OWN)
    assert not allowed(statements, "ec2:DeleteFlowLogs", log)
    # With these, EC2 would replace the policy of the bucket.
    assert not allowed(statements, "s3:PutBucketPolicy", "arn:aws:s3:::any")
    without = deploy_role(stacks_of(customize=True, access_logs=True))
    assert not allowed(without, "ec2:CreateFlowLogs", log, TAGGED)
