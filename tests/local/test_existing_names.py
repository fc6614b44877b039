"""CloudFormation creates no resource whose name another one has."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import WaiterError

from tests.local.conftest import Client, Stack
from tests.local.test_iam import TRUST, policy
from tests.local.test_resource_types import VPC, pipeline, resource

ALARM = {"MetricName": "m", "Namespace": "n", "Period": 60, "Statistic": "Sum"}
ALARM |= {"ComparisonOperator": "GreaterThanThreshold", "EvaluationPeriods": 1, "Threshold": 1}
SUBNETS = VPC | {"Other": resource("EC2::Subnet", VpcId={"Ref": "Vpc"}, CidrBlock="10.0.1.0/24")}
PROJECT = {
    "ServiceRole": "arn:aws:iam::000000000000:role/build",
    "Source": {"Type": "CODEPIPELINE"},
    "Artifacts": {"Type": "CODEPIPELINE"},
    "Environment": {"Type": "LINUX_CONTAINER", "Image": "i", "ComputeType": "BUILD_GENERAL1_SMALL"},
}

NAMED: dict[str, dict[str, Any]] = {
    "alarm": resource("CloudWatch::Alarm", AlarmName="twice", **ALARM),
    "cluster": resource("ECS::Cluster", ClusterName="twice"),
    "dashboard": resource("CloudWatch::Dashboard", DashboardName="twice", DashboardBody='{"widgets": []}'),
    "load-balancer": resource(
        "ElasticLoadBalancingV2::LoadBalancer", Name="twice", Subnets=[{"Ref": "Subnet"}, {"Ref": "Other"}]
    ),
    "log-group": resource("Logs::LogGroup", LogGroupName="twice"),
    "managed-policy": resource("IAM::ManagedPolicy", ManagedPolicyName="twice", PolicyDocument=policy()),
    "pipeline": pipeline(Name="twice"),
    "project": resource("CodeBuild::Project", Name="twice", **PROJECT),
    "report-group": resource(
        "CodeBuild::ReportGroup", Name="twice", Type="TEST", ExportConfig={"ExportConfigType": "NO_EXPORT"}
    ),
    "repository": resource("ECR::Repository", RepositoryName="twice"),
    "role": resource("IAM::Role", RoleName="twice", AssumeRolePolicyDocument=TRUST),
    "rule": resource("Events::Rule", Name="twice", EventPattern={"source": ["aws.ecr"]}),
    "target-group": resource("ElasticLoadBalancingV2::TargetGroup", Name="twice", Port=80, VpcId={"Ref": "Vpc"}),
    "topic": resource("SNS::Topic", TopicName="twice"),
}


@pytest.mark.parametrize("kind", NAMED)
def test_a_stack_creates_no_second_resource_of_a_name(stack: Stack, kind: str) -> None:
    network = SUBNETS if kind in ("load-balancer", "target-group") else {}
    named = NAMED[kind]
    stack.create(network | {"Named": named})
    second = Stack(stack.api, f"second-{stack.name}")
    with pytest.raises(WaiterError):
        second.create(network | {"Named": named})
    assert "already exists" in second.failures()[-1]
    assert second.describe()["StackStatus"] == "ROLLBACK_COMPLETE"
    second.delete()
    # The first one is as it was, and the stack still changes it.
    found = stack.api.describe_stack_resource(StackName=stack.name, LogicalResourceId="Named")["StackResourceDetail"]
    assert found["ResourceStatus"] == "CREATE_COMPLETE"
    stack.update(network | {"Named": named, "More": resource("SNS::Topic")})
    stack.delete()
    stack.create(network | {"Named": named})
    stack.delete()


@pytest.mark.parametrize("kind", ["cluster", "log-group", "repository", "target-group", "topic", "dashboard", "rule"])
def test_the_reason_is_that_of_cloudformation(stack: Stack, kind: str) -> None:
    network = SUBNETS if kind in ("load-balancer", "target-group") else {}
    twice = {"First": NAMED[kind], "Second": NAMED[kind] | {"DependsOn": "First"}}
    with pytest.raises(WaiterError):
        stack.create(network | twice)
    expected = f"Resource of type '{NAMED[kind]['Type']}' with identifier 'twice' already exists."
    assert stack.failures()[-1] == expected


def test_a_bucket_of_another_stack_fails_the_validation(stack: Stack, client: Client) -> None:
    client("s3").create_bucket(Bucket="bucket-of-that-name")
    with pytest.raises(WaiterError):
        stack.create({"Bucket": resource("S3::Bucket", BucketName="bucket-of-that-name")})
    events = stack.api.describe_events(StackName=stack.name)["OperationEvents"]
    reasons = [event["ValidationStatusReason"] for event in events if "ValidationStatusReason" in event]
    assert reasons == ["Resource of type 'AWS::S3::Bucket' with identifier 'bucket-of-that-name' already exists."]
    client("s3").delete_bucket(Bucket="bucket-of-that-name")


def test_an_api_creates_no_second_image_repository_of_a_name(client: Client) -> None:
    ecr = client("ecr")
    ecr.create_repository(repositoryName="twice")
    with pytest.raises(ecr.exceptions.RepositoryAlreadyExistsException):
        ecr.create_repository(repositoryName="twice")
    ecr.delete_repository(repositoryName="twice")


def test_image_repositories_have_creation_times_with_milliseconds(stack: Stack, client: Client) -> None:
    ecr = client("ecr")
    moments = []
    for number in range(3):
        created = ecr.create_repository(repositoryName=f"dated-{number}")["repository"]["createdAt"]
        (described,) = ecr.describe_repositories(repositoryNames=[f"dated-{number}"])["repositories"]
        assert described["createdAt"] == created
        moments.append(created)
        ecr.delete_repository(repositoryName=f"dated-{number}")
    stack.create({"Repository": resource("ECR::Repository", RepositoryName="dated")})
    moments.append(ecr.describe_repositories(repositoryNames=["dated"])["repositories"][0]["createdAt"])
    assert any(moment.microsecond for moment in moments)
    assert moments == sorted(moments)
