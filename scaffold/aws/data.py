"""Resources that hold data: which there are, whether they still exist, and the deletion of disposable ones."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from botocore.exceptions import ClientError

from scaffold.aws.cloudformation.stacks import Stack
from scaffold.aws.cloudformation.templates import Resource, resources_of
from scaffold.aws.errors import code_of, suppress_code
from scaffold.aws.session import Session
from scaffold.service.names import TAG_DELETION_SCHEDULED

# The shortest waiting period that KMS allows for the deletion of a key.
KEY_DELETION_DAYS = 7

BUCKET, IMAGES, KEY = "AWS::S3::Bucket", "AWS::ECR::Repository", "AWS::KMS::Key"
_NESTED = "AWS::CloudFormation::Stack"
# A type that is in none of these lists counts as one that holds data: a new one is named before its deletion, too.
_SERVICES_WITHOUT_DATA = {
    "ApiGateway",
    "ApiGatewayV2",
    "AppConfig",
    "ApplicationAutoScaling",
    "AutoScaling",
    "Budgets",
    "CertificateManager",
    "Chatbot",
    "CloudFormation",
    "CloudFront",
    "CloudTrail",
    "CloudWatch",
    "CodeBuild",
    "CodeDeploy",
    "CodePipeline",
    "CodeStarNotifications",
    "EC2",
    "ECS",
    "ElasticLoadBalancing",
    "ElasticLoadBalancingV2",
    "Events",
    "IAM",
    "Lambda",
    "Logs",
    "Pipes",
    "ResourceGroups",
    "Route53Resolver",
    "SNS",
    "Scheduler",
    "ServiceDiscovery",
    "StepFunctions",
    "WAFv2",
    "XRay",
}
_DATA_OF_THESE_SERVICES = {
    "AWS::CloudFormation::CustomResource",
    "AWS::CloudFormation::StackSet",
    "AWS::CloudFront::KeyValueStore",
    "AWS::CloudTrail::EventDataStore",
    "AWS::EC2::Instance",
    "AWS::EC2::Volume",
    "AWS::Events::Archive",
    "AWS::Lambda::LayerVersion",
    "AWS::Logs::LogGroup",
    "AWS::Logs::LogStream",
}
# Settings of what holds data: a policy, a group of parameters, a way to it.
_SETTINGS = (
    "AccessPoint",
    "Alias",
    "Association",
    "Attachment",
    "HealthCheck",
    "MountTarget",
    "OptionGroup",
    "ParameterGroup",
    "Policy",
    "ProxyEndpoint",
    "ProxyTargetGroup",
    "RecordSet",
    "ReplicaKey",
    "RotationSchedule",
    "SecurityGroup",
    "SubnetGroup",
    "UserPoolClient",
    "UserPoolDomain",
)
# They depend on a retained resource and are deleted or kept with it.
_ATTACHED = {"AWS::KMS::Alias", "AWS::S3::BucketPolicy", "AWS::SQS::QueuePolicy"}


@dataclass(frozen=True)
class DataResource:
    """A resource that holds data, or that its stack retains.

    Attributes:
        type: Its CloudFormation type.
        id: Its physical id.
        retained: Whether its deletion policy retains it when the stack is deleted.
        disposable: Whether its template's metadata lets `scaffold destroy` delete it with its content.
    """

    type: str
    id: str
    retained: bool
    disposable: bool


def data_resources(session: Session, stack: Stack) -> list[DataResource]:
    """The resources of a stack, and of stacks nested in it, that hold data or are retained when it is deleted."""
    return [] if stack.status == "REVIEW_IN_PROGRESS" else _existing_data(session, stack.id)


def retained_resources(session: Session, deleted_stack: Stack) -> list[DataResource]:
    """The resources that the deletion of a stack has skipped. They may have been deleted since."""
    pages = session.client("cloudformation").get_paginator("describe_stack_events").paginate(StackName=deleted_stack.id)
    # The latest event of each resource decides: earlier ones belong to updates, which skip resources that they replace.
    # The order of events of different resources within a moment says nothing.
    latest: dict[str, dict[str, Any]] = {}
    for event in (event for page in pages for event in page["StackEvents"]):
        latest.setdefault(event["LogicalResourceId"], event)
    skipped = [event for event in latest.values() if event["ResourceStatus"] == "DELETE_SKIPPED"]
    return _data(session, deleted_stack.id, skipped)


def holds_data(resource_type: str) -> bool:
    """Whether resources of a CloudFormation type may hold data that is lost with them.

    Custom resources and third-party types may: what they manage is unknown.
    """
    if resource_type in _DATA_OF_THESE_SERVICES:
        return True
    vendor, _, service = resource_type.partition("::")
    service = service.partition("::")[0]
    return vendor != "AWS" or not (service in _SERVICES_WITHOUT_DATA or resource_type.endswith(_SETTINGS))


def exists(session: Session, resource: DataResource, before: datetime | None = None) -> bool:
    """Whether a bucket, image repository or key still exists. A key in its waiting period does not, and neither does a
    key whose deletion was scheduled once and has been cancelled: it is wanted.

    Args:
        before: The resource has to be older: a later one of the same name is another one.
    """
    missing = {"404", "NoSuchBucket", "RepositoryNotFoundException", "NotFoundException"}
    try:
        if resource.type == BUCKET:
            session.client("s3").head_bucket(Bucket=resource.id)
        elif resource.type == IMAGES:
            answer = session.client("ecr").describe_repositories(repositoryNames=[resource.id])
            return before is None or bool(answer["repositories"][0]["createdAt"] < before)
        else:
            client = session.client("kms")
            if client.describe_key(KeyId=resource.id)["KeyMetadata"]["KeyState"] == "PendingDeletion":
                return False
            tags = client.list_resource_tags(KeyId=resource.id)["Tags"]
            return all(tag["TagKey"] != TAG_DELETION_SCHEDULED for tag in tags)
    except ClientError as error:
        if code_of(error) in missing:
            return False
        raise
    return True


def blocks_deletion(session: Session, resource: DataResource) -> bool:
    """Whether CloudFormation refuses to delete it, since it is not empty."""
    if resource.retained:
        return False
    with suppress_code("NoSuchBucket", "RepositoryNotFoundException"):
        if resource.type == BUCKET:
            answer = session.client("s3").list_object_versions(Bucket=resource.id, MaxKeys=1)
            return bool(answer.get("Versions") or answer.get("DeleteMarkers"))
        if resource.type == IMAGES:
            return bool(session.client("ecr").list_images(repositoryName=resource.id, maxResults=1)["imageIds"])
    return False


def delete(session: Session, resource: DataResource) -> datetime | None:
    """Delete a bucket or an image repository with its content, or schedule the deletion of a key.

    Returns:
        The end of a key's waiting period, where AWS says it.
    """
    if resource.type == BUCKET:
        _empty_and_delete_bucket(session.client("s3"), resource.id)
    elif resource.type == IMAGES:
        with suppress_code("RepositoryNotFoundException"):
            session.client("ecr").delete_repository(repositoryName=resource.id, force=True)
    else:
        client = session.client("kms")
        client.tag_resource(KeyId=resource.id, Tags=[{"TagKey": TAG_DELETION_SCHEDULED, "TagValue": "true"}])
        try:
            answer = client.schedule_key_deletion(KeyId=resource.id, PendingWindowInDays=KEY_DELETION_DAYS)
        except BaseException:
            answer = client.describe_key(KeyId=resource.id)["KeyMetadata"]
            # Done, if only the answer was lost.
            if answer["KeyState"] != "PendingDeletion":
                client.untag_resource(KeyId=resource.id, TagKeys=[TAG_DELETION_SCHEDULED])
                raise
        end: datetime | None = answer.get("DeletionDate")
        return end
    return None


def _existing_data(session: Session, stack_id: str) -> list[DataResource]:
    pages = session.client("cloudformation").get_paginator("list_stack_resources").paginate(StackName=stack_id)
    existing = [
        one
        for page in pages
        for one in page["StackResourceSummaries"]
        if one["ResourceStatus"] not in ("DELETE_COMPLETE", "DELETE_SKIPPED")
    ]
    found = _data(session, stack_id, existing)
    retained = {one.id for one in found}
    for one in existing:
        nested = one.get("PhysicalResourceId")
        if one["ResourceType"] == _NESTED and nested and nested not in retained:
            # Only the foundation's own data is disposable.
            found += [replace(inner, disposable=False) for inner in _existing_data(session, nested)]
    return found


def _data(session: Session, stack_id: str, listed: list[dict[str, Any]]) -> list[DataResource]:
    if not listed:
        return []
    client = session.client("cloudformation")
    declared = resources_of(client.get_template(StackName=stack_id, TemplateStage="Original")["TemplateBody"])
    found = []
    for one in listed:
        template = declared.get(one["LogicalResourceId"], Resource(one["LogicalResourceId"], one["ResourceType"]))
        kind, identifier = one["ResourceType"], one.get("PhysicalResourceId")
        if identifier and kind not in _ATTACHED and (holds_data(kind) or template.retained):
            disposable = template.disposable and kind in (BUCKET, IMAGES, KEY)
            found.append(DataResource(kind, identifier, template.retained, disposable))
    return found


def _empty_and_delete_bucket(client: Any, bucket: str) -> None:
    with suppress_code("NoSuchBucket"):
        for batch in _versions(client, bucket):
            answer = client.delete_objects(Bucket=bucket, Delete={"Objects": batch, "Quiet": True})
            for failed in answer.get("Errors", []):
                raise ClientError({"Error": {"Code": failed["Code"], "Message": failed["Message"]}}, "DeleteObjects")
        client.delete_bucket(Bucket=bucket)


def _versions(client: Any, bucket: str) -> Iterator[list[dict[str, str]]]:
    """Every version and delete marker, in batches that one call can delete."""
    for page in client.get_paginator("list_object_versions").paginate(Bucket=bucket):
        versions = page.get("Versions", []) + page.get("DeleteMarkers", [])
        if versions:
            yield [{"Key": one["Key"], "VersionId": one["VersionId"]} for one in versions]
