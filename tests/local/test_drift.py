"""Drift-aware change sets, tags of buckets, and ECS service deployments."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.local.conftest import Client, Stack
from tests.local.test_resource_types import resource

TAG = {"Key": "team", "Value": "orders"}


def revert_drift(stack: Stack) -> dict[str, Any]:
    """Create a drift-aware change set of the unchanged template."""
    made = stack.api.create_change_set(
        StackName=stack.name,
        ChangeSetName="drift",
        UsePreviousTemplate=True,
        Tags=[TAG],
        Capabilities=["CAPABILITY_NAMED_IAM"],
        DeploymentMode="REVERT_DRIFT",
    )
    described: dict[str, Any] = stack.api.describe_change_set(ChangeSetName=made["Id"])
    return described


def execute(stack: Stack, change_set: dict[str, Any]) -> None:
    stack.api.execute_change_set(ChangeSetName=change_set["ChangeSetId"])
    stack.wait("stack_update_complete")


def test_deleted_resources_come_back_under_their_names(stack: Stack, client: Client) -> None:
    s3, ecr = client("s3"), client("ecr")
    names = {"Bucket": f"{stack.name}-b", "Images": f"{stack.name}-i"}
    stack.create(
        {
            "Bucket": resource("S3::Bucket", BucketName=names["Bucket"], VersioningConfiguration={"Status": "Enabled"}),
            "Images": resource("ECR::Repository", RepositoryName=names["Images"], ImageTagMutability="IMMUTABLE"),
        },
        Tags=[TAG],
    )
    s3.delete_bucket(Bucket=names["Bucket"])
    ecr.delete_repository(repositoryName=names["Images"])
    change_set = revert_drift(stack)
    changed = {change["ResourceChange"]["LogicalResourceId"] for change in change_set["Changes"]}
    assert changed == {"Bucket", "Images"}
    execute(stack, change_set)
    assert s3.get_bucket_versioning(Bucket=names["Bucket"])["Status"] == "Enabled"
    assert TAG in s3.get_bucket_tagging(Bucket=names["Bucket"])["TagSet"]
    (repository,) = ecr.describe_repositories(repositoryNames=[names["Images"]])["repositories"]
    assert repository["imageTagMutability"] == "IMMUTABLE"
    assert TAG in ecr.list_tags_for_resource(resourceArn=repository["repositoryArn"])["tags"]
    template = stack.api.get_template(StackName=stack.name)["TemplateBody"]
    assert "drift" not in json.dumps(template)
    assert stack.describe()["Tags"] == [TAG]


def test_properties_that_were_changed_by_hand_are_restored(stack: Stack, client: Client) -> None:
    topic = stack.create(
        {"Topic": resource("SNS::Topic", DisplayName="template")}, Tags=[TAG], Outputs={"Arn": {"Ref": "Topic"}}
    )["Outputs"]["Arn"]
    client("sns").set_topic_attributes(TopicArn=topic, AttributeName="DisplayName", AttributeValue="hand")
    execute(stack, revert_drift(stack))
    assert client("sns").get_topic_attributes(TopicArn=topic)["Attributes"]["DisplayName"] == "template"


def test_an_ordinary_change_set_of_the_same_template_still_fails(stack: Stack) -> None:
    stack.create({"Topic": resource("SNS::Topic")})
    made = stack.api.create_change_set(StackName=stack.name, ChangeSetName="same", UsePreviousTemplate=True)
    assert stack.api.describe_change_set(ChangeSetName=made["Id"])["Status"] == "FAILED"


@pytest.fixture
def service(client: Client) -> Iterator[str]:
    ecs = client("ecs")
    ecs.create_cluster(clusterName="shop")
    ecs.register_task_definition(family="shop", containerDefinitions=[{"name": "app", "image": "image"}])
    ecs.create_service(cluster="shop", serviceName="shop", taskDefinition="shop", desiredCount=1)
    yield "shop"
    ecs.delete_service(cluster="shop", service="shop", force=True)
    ecs.delete_cluster(cluster="shop")


def test_service_deployments_are_listed_and_have_ended(service: str, client: Client) -> None:
    ecs = client("ecs")
    (deployment,) = ecs.list_service_deployments(cluster=service, service=service)["serviceDeployments"]
    assert deployment["status"] == "SUCCESSFUL"
    assert (
        ecs.list_service_deployments(cluster=service, service=service, status=["IN_PROGRESS"])["serviceDeployments"]
        == []
    )
    arn = deployment["serviceDeploymentArn"]
    for stopped, code in ((arn, "ConflictException"), (f"{arn}x", "ServiceDeploymentNotFoundException")):
        with pytest.raises(ClientError) as caught:
            ecs.stop_service_deployment(serviceDeploymentArn=stopped, stopType="ROLLBACK")
        assert caught.value.response["Error"]["Code"] == code
    for cluster, name, code in (
        ("none", service, "ClusterNotFoundException"),
        (service, "none", "ServiceNotFoundException"),
    ):
        with pytest.raises(ClientError) as caught:
            ecs.list_service_deployments(cluster=cluster, service=name)
        assert caught.value.response["Error"]["Code"] == code
