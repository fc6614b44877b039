"""CloudFormation's rules about busy and failed stacks, roles, change sets and deletions."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from botocore.exceptions import ClientError, WaiterError

from tests.local.conftest import Client, Stack
from tests.local.test_resource_types import resource

TOPIC = {"Topic": resource("SNS::Topic")}
BROKEN = {"Nat": resource("EC2::NatGateway", SubnetId="subnet-0", AllocationId="eipalloc-0")}
BUSY = {
    "Handle": {"Type": "AWS::CloudFormation::WaitConditionHandle"},
    "Wait": {
        "Type": "AWS::CloudFormation::WaitCondition",
        "Properties": {"Handle": {"Ref": "Handle"}, "Timeout": "30"},
    },
}
TRUST = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Principal": {"Service": "cloudformation.amazonaws.com"}, "Action": "sts:AssumeRole"}
        ],
    }
)


def change_set(stack: Stack, template: dict[str, Any], kind: str = "UPDATE", **more: Any) -> dict[str, Any]:
    made = stack.api.create_change_set(
        StackName=stack.name,
        ChangeSetName=more.pop("name", "changes"),
        ChangeSetType=kind,
        TemplateBody=json.dumps(template),
        **more,
    )
    described: dict[str, Any] = stack.api.describe_change_set(ChangeSetName=made["Id"])
    return described


def test_a_stack_whose_creation_failed_can_only_be_deleted(stack: Stack) -> None:
    with pytest.raises(WaiterError):
        stack.create(BROKEN)
    assert stack.describe()["StackStatus"] == "ROLLBACK_COMPLETE"
    for attempt in (
        lambda: stack.update(TOPIC),
        lambda: change_set(stack, {"Resources": TOPIC}),
    ):
        with pytest.raises(ClientError, match="is in ROLLBACK_COMPLETE state and can not be updated"):
            attempt()
    with pytest.raises(stack.api.exceptions.AlreadyExistsException):
        stack.create(TOPIC)
    with pytest.raises(ClientError, match="cannot be created again"):
        change_set(stack, {"Resources": TOPIC}, "CREATE")
    stack.delete()
    assert stack.create(TOPIC)["StackStatus"] == "CREATE_COMPLETE"


def test_a_busy_stack_refuses_other_operations(stack: Stack) -> None:
    stack.create(TOPIC)
    template = {"Resources": TOPIC | BUSY}
    stack.api.update_stack(StackName=stack.name, TemplateBody=json.dumps(template))
    assert stack.describe()["StackStatus"] == "UPDATE_IN_PROGRESS"
    with pytest.raises(ClientError, match="is in UPDATE_IN_PROGRESS state and can not be updated"):
        stack.update(TOPIC)
    with pytest.raises(ClientError, match="is in UPDATE_IN_PROGRESS state and can not be updated"):
        change_set(stack, {"Resources": TOPIC})
    with pytest.raises(ClientError, match="cannot be deleted while in status UPDATE_IN_PROGRESS"):
        stack.api.delete_stack(StackName=stack.name)


def test_a_change_set_creates_a_stack_after_review(stack: Stack) -> None:
    made = change_set(stack, {"Resources": TOPIC}, "CREATE")
    assert (made["Status"], made["ExecutionStatus"]) == ("CREATE_COMPLETE", "AVAILABLE")
    assert made["Changes"][0]["ResourceChange"]["Action"] == "Add"
    assert stack.describe()["StackStatus"] == "REVIEW_IN_PROGRESS"
    stack.api.execute_change_set(ChangeSetName=made["ChangeSetId"])
    stack.wait("stack_create_complete")
    statuses = [e["ResourceStatus"] for e in stack.api.describe_stack_events(StackName=stack.name)["StackEvents"]]
    assert statuses[0] == "CREATE_COMPLETE"
    assert statuses[-1] == "REVIEW_IN_PROGRESS"


def test_a_change_set_without_changes_fails_with_the_message_of_aws(stack: Stack) -> None:
    stack.create(TOPIC)
    made = change_set(stack, {"Resources": TOPIC})
    assert (made["Status"], made["ExecutionStatus"]) == ("FAILED", "UNAVAILABLE")
    assert made["StatusReason"].startswith("The submitted information didn't contain changes.")
    with pytest.raises(stack.api.exceptions.InvalidChangeSetStatusException):
        stack.api.execute_change_set(ChangeSetName=made["ChangeSetId"])
    stack.api.delete_change_set(ChangeSetName=made["ChangeSetId"])
    with pytest.raises(stack.api.exceptions.ChangeSetNotFoundException):
        stack.api.describe_change_set(ChangeSetName=made["ChangeSetId"])
    with pytest.raises(ClientError, match="No updates are to be performed"):
        stack.update(TOPIC)


def test_a_change_set_that_only_changes_outputs_can_be_executed(stack: Stack) -> None:
    stack.create(TOPIC)
    made = change_set(stack, {"Resources": TOPIC, "Outputs": {"Version": {"Value": "2"}}})
    assert (made["Status"], made["Changes"]) == ("CREATE_COMPLETE", [])
    stack.api.execute_change_set(ChangeSetName=made["ChangeSetId"])
    stack.wait("stack_update_complete")
    assert stack.describe()["Outputs"] == {"Version": "2"}


@pytest.mark.parametrize("value", [{"Ref": "Version"}, {"Fn::Sub": "v${Version}"}])
def test_a_change_set_that_only_changes_a_parameter_of_outputs_can_be_executed(stack: Stack, value: Any) -> None:
    def template(version: str, other: str) -> dict[str, Any]:
        defaults = {"Version": version, "Other": other}
        declared = {name: {"Type": "String", "Default": default} for name, default in defaults.items()}
        return {"Parameters": declared, "Resources": TOPIC, "Outputs": {"Version": {"Value": value}}}

    stack.api.create_stack(StackName=stack.name, TemplateBody=json.dumps(template("1", "a")))
    stack.wait("stack_create_complete")
    assert change_set(stack, template("1", "b"), name="unused")["Status"] == "FAILED"
    made = change_set(stack, template("2", "a"))
    assert (made["Status"], made["Changes"]) == ("CREATE_COMPLETE", [])
    stack.api.execute_change_set(ChangeSetName=made["ChangeSetId"])
    stack.wait("stack_update_complete")
    assert stack.describe()["Outputs"]["Version"].endswith("2")


def test_a_stack_keeps_its_role_and_needs_it_for_its_deletion(stack: Stack, client: Client) -> None:
    iam = client("iam")
    role = iam.create_role(RoleName="operator", Path="/app/", AssumeRolePolicyDocument=TRUST)["Role"]["Arn"]
    assert stack.create(TOPIC, RoleARN=role)["RoleARN"] == role
    assert change_set(stack, {"Resources": {}, "Outputs": {"A": {"Value": "a"}}})["Status"] != "DELETED"
    iam.delete_role(RoleName="operator")
    with pytest.raises(ClientError, match=r"operator is invalid or cannot be assumed"):
        stack.api.delete_stack(StackName=stack.name)
    iam.create_role(RoleName="operator", Path="/app/", AssumeRolePolicyDocument=TRUST)
    stack.delete()
    with pytest.raises(ClientError, match="is invalid or cannot be assumed"):
        stack.create(TOPIC, RoleARN="arn:aws:iam::000000000000:role/absent")


def test_a_change_set_sets_the_role_of_its_stack(stack: Stack, client: Client) -> None:
    iam = client("iam")
    role = iam.create_role(RoleName="executor", AssumeRolePolicyDocument=TRUST)["Role"]["Arn"]
    made = change_set(stack, {"Resources": TOPIC}, "CREATE", RoleARN=role)
    stack.api.execute_change_set(ChangeSetName=made["ChangeSetId"])
    stack.wait("stack_create_complete")
    assert stack.describe()["RoleARN"] == role
    stack.delete()
    iam.delete_role(RoleName="executor")


def test_an_update_that_fails_rolls_back(stack: Stack) -> None:
    stack.create(TOPIC)
    with pytest.raises(WaiterError):
        stack.update(TOPIC | BROKEN)
    assert stack.describe()["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    resources = stack.api.list_stack_resources(StackName=stack.name)["StackResourceSummaries"]
    assert [r["LogicalResourceId"] for r in resources] == ["Topic"]


def test_a_protected_load_balancer_makes_the_deletion_fail(stack: Stack, client: Client) -> None:
    attribute = {"Key": "deletion_protection.enabled", "Value": "true"}
    balancer = resource("ElasticLoadBalancingV2::LoadBalancer", Type="application", LoadBalancerAttributes=[attribute])
    made = stack.create({"Balancer": balancer}, Outputs={"Balancer": {"Ref": "Balancer"}})
    elbv2, arn = client("elbv2"), made["Outputs"]["Balancer"]
    with pytest.raises(elbv2.exceptions.OperationNotPermittedException, match="deletion protection is enabled"):
        elbv2.delete_load_balancer(LoadBalancerArn=arn)
    with pytest.raises(WaiterError):
        stack.delete()
    assert stack.describe()["StackStatus"] == "DELETE_FAILED"
    assert elbv2.describe_load_balancers(LoadBalancerArns=[arn])["LoadBalancers"]
    elbv2.modify_load_balancer_attributes(LoadBalancerArn=arn, Attributes=[attribute | {"Value": "false"}])
    stack.delete()


def test_full_buckets_and_registries_make_the_deletion_fail(stack: Stack, client: Client) -> None:
    bucket = resource("S3::Bucket", VersioningConfiguration={"Status": "Enabled"})
    registry = resource("ECR::Repository", RepositoryName="full")
    made = stack.create({"Bucket": bucket, "Registry": registry}, Outputs={"Bucket": {"Ref": "Bucket"}})
    s3, ecr, name = client("s3"), client("ecr"), made["Outputs"]["Bucket"]
    s3.put_object(Bucket=name, Key="a", Body=b"1")
    s3.delete_object(Bucket=name, Key="a")
    ecr.put_image(repositoryName="full", imageManifest='{"schemaVersion": 2}', imageTag="x")
    with pytest.raises(WaiterError):
        stack.delete()
    assert stack.describe()["StackStatus"] == "DELETE_FAILED"
    versions = s3.list_object_versions(Bucket=name)
    for version in [*versions["Versions"], *versions["DeleteMarkers"]]:
        s3.delete_object(Bucket=name, Key=version["Key"], VersionId=version["VersionId"])
    images = ecr.list_images(repositoryName="full")["imageIds"]
    ecr.batch_delete_image(repositoryName="full", imageIds=images)
    stack.delete()


def test_retained_resources_are_kept_except_after_a_failed_creation(stack: Stack, client: Client) -> None:
    kept = resource("SNS::Topic", TopicName="kept") | {"DeletionPolicy": "RetainExceptOnCreate"}
    topics = client("sns").list_topics
    with pytest.raises(WaiterError):
        stack.create({"Kept": kept, "Nat": BROKEN["Nat"] | {"DependsOn": "Kept"}})
    assert "kept" not in [t["TopicArn"].rpartition(":")[2] for t in topics()["Topics"]]
    stack.delete()
    stack.create({"Kept": kept})
    stack.delete()
    assert "kept" in [t["TopicArn"].rpartition(":")[2] for t in topics()["Topics"]]


def test_a_replaced_task_definition_can_stay_active(stack: Stack, client: Client) -> None:
    def task(image: str) -> dict[str, Any]:
        properties = {"Family": "kept", "ContainerDefinitions": [{"Name": "app", "Image": image}]}
        return {"Task": resource("ECS::TaskDefinition", **properties) | {"UpdateReplacePolicy": "Retain"}}

    first = stack.create(task("a"), Outputs={"Arn": {"Ref": "Task"}})["Outputs"]["Arn"]
    second = stack.update(task("b"), Outputs={"Arn": {"Ref": "Task"}})["Outputs"]["Arn"]
    assert first != second
    assert client("ecs").describe_task_definition(taskDefinition=first)["taskDefinition"]["status"] == "ACTIVE"


def test_a_protected_stack_is_not_deleted(stack: Stack, client: Client) -> None:
    stack.create(TOPIC, EnableTerminationProtection=True)
    for given in (stack.name, stack.describe()["StackId"]):
        expected = re.escape(f"Stack [{given}] cannot be deleted while TerminationProtection is enabled")
        with pytest.raises(ClientError, match=expected):
            stack.api.delete_stack(StackName=given)
    # An update keeps the protection and may delete resources.
    updated = stack.update({"Queue": resource("SQS::Queue")})
    assert (updated["StackStatus"], updated["EnableTerminationProtection"]) == ("UPDATE_COMPLETE", True)
    with pytest.raises(ClientError, match="TerminationProtection is enabled"):
        stack.api.delete_stack(StackName=stack.name)
    stack.api.update_termination_protection(StackName=stack.name, EnableTerminationProtection=False)
    stack.delete()


def test_the_protection_covers_nested_stacks(stack: Stack, client: Client, variables: dict[str, str]) -> None:
    s3 = client("s3")
    s3.create_bucket(Bucket="nested-templates")
    s3.put_object(Bucket="nested-templates", Key="nested.json", Body=json.dumps({"Resources": TOPIC}).encode())
    url = f"{variables['AWS_ENDPOINT_URL']}/nested-templates/nested.json"
    nested = {"Nested": {"Type": "AWS::CloudFormation::Stack", "Properties": {"TemplateURL": url}}}
    made = stack.create(nested, EnableTerminationProtection=True, Outputs={"Id": {"Ref": "Nested"}})
    identifier = made["Outputs"]["Id"]
    with pytest.raises(ClientError, match="TerminationProtection is enabled"):
        stack.api.delete_stack(StackName=identifier)
    stack.api.update_termination_protection(StackName=stack.name, EnableTerminationProtection=False)
    stack.delete()
    described = stack.api.describe_stacks(StackName=identifier)["Stacks"][0]
    assert described["StackStatus"] == "DELETE_COMPLETE"


def test_stack_policies_are_stored(stack: Stack) -> None:
    policy = json.dumps({"Statement": [{"Effect": "Deny", "Action": "Update:*", "Principal": "*", "Resource": "*"}]})
    stack.create(TOPIC, StackPolicyBody=policy)
    assert json.loads(stack.api.get_stack_policy(StackName=stack.name)["StackPolicyBody"]) == json.loads(policy)


def test_a_deleted_stack_is_remembered_by_its_id_when_its_name_is_used_again(stack: Stack) -> None:
    first = stack.create({"Topic": {"Type": "AWS::SNS::Topic"}})["StackId"]
    stack.delete()
    second = stack.create({"Queue": {"Type": "AWS::SQS::Queue"}})["StackId"]
    assert first != second
    described = stack.api.describe_stacks(StackName=first)["Stacks"][0]
    assert described["StackStatus"] == "DELETE_COMPLETE"
    assert described["CreationTime"] <= described["DeletionTime"]
    pages = stack.api.get_paginator("list_stacks").paginate(StackStatusFilter=["DELETE_COMPLETE"])
    assert first in {one["StackId"] for page in pages for one in page["StackSummaries"]}
    assert stack.describe()["StackId"] == second
    assert "DeletionTime" not in stack.describe()
