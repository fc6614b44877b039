"""Deletion of what outlives a stack or blocks its deletion: full buckets, images, keys, logs, task definitions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from botocore.exceptions import ClientError

from scaffold.aws.cloudformation.stacks import Stack
from scaffold.aws.cloudformation.templates import resources_of
from scaffold.aws.errors import code_of, suppress_code
from scaffold.aws.session import Session

# The shortest waiting period that KMS allows for the deletion of a key.
KEY_DELETION_DAYS = 7
# The most task definitions that one call of DeleteTaskDefinitions takes.
_BATCH = 10

BUCKET, IMAGES, KEY = "AWS::S3::Bucket", "AWS::ECR::Repository", "AWS::KMS::Key"
_DATA = {BUCKET, IMAGES, KEY}
# Retained resources that need no handling here: deleted with their parent, or by `delete_log_groups` and
# `delete_task_definitions`.
_DELETED_ELSEWHERE = {"AWS::S3::BucketPolicy", "AWS::KMS::Alias", "AWS::Logs::LogGroup", "AWS::ECS::TaskDefinition"}


@dataclass(frozen=True)
class DataResource:
    """A resource that holds data, or that its stack retains.

    Attributes:
        type: Its CloudFormation type.
        id: Its physical id.
        retained: Whether its deletion policy retains it when the stack is deleted.
    """

    type: str
    id: str
    retained: bool

    @property
    def deletable(self) -> bool:
        """Whether `clean_up` deletes it, or its stack does."""
        return self.type in _DATA or not self.retained


@dataclass(frozen=True)
class Remainder:
    """Why a resource still exists after `clean_up`.

    Attributes:
        reason: `retained` by its template, or in its `waiting-period`.
        until: The end of the waiting period, where AWS says it.
    """

    reason: str
    until: datetime | None = None


def data_resources(session: Session, stack: Stack) -> list[DataResource]:
    """The resources of a stack that hold data, or that are retained when it is deleted."""
    client = session.client("cloudformation")
    declared = resources_of(client.get_template(StackName=stack.id, TemplateStage="Original")["TemplateBody"])
    found = []
    for page in client.get_paginator("list_stack_resources").paginate(StackName=stack.id):
        for resource in page["StackResourceSummaries"]:
            template = declared.get(resource["LogicalResourceId"])
            retained = template is not None and template.retained
            kind, identifier = resource["ResourceType"], resource.get("PhysicalResourceId")
            exists = identifier and resource["ResourceStatus"] not in ("DELETE_COMPLETE", "DELETE_SKIPPED")
            if exists and (kind in _DATA or (retained and kind not in _DELETED_ELSEWHERE)):
                found.append(DataResource(kind, identifier, retained))
    return found


def clean_up(session: Session, resource: DataResource) -> Remainder | None:
    """Empty a resource, and delete it where its stack would retain it.

    Returns:
        Why it still exists; None where it is deleted, or will be with its stack.
    """
    if resource.type == BUCKET:
        _empty_bucket(session, resource)
    elif resource.type == IMAGES:
        with suppress_code("RepositoryNotFoundException"):
            session.client("ecr").delete_repository(repositoryName=resource.id, force=True)
    elif resource.type == KEY:
        return _schedule_key_deletion(session, resource) if resource.retained else None
    elif resource.retained:
        return Remainder("retained")
    return None


def delete_log_groups(session: Session, groups: list[str]) -> None:
    """Delete log groups by name."""
    client = session.client("logs")
    for group in groups:
        with suppress_code("ResourceNotFoundException"):
            client.delete_log_group(logGroupName=group)


def log_groups(session: Session, prefixes: list[str], exactly: list[str]) -> list[str]:
    """The names of the log groups that exist, by prefix and by whole name."""
    client = session.client("logs")
    found: list[str] = []
    for prefix in [*prefixes, *exactly]:
        for page in client.get_paginator("describe_log_groups").paginate(logGroupNamePrefix=prefix):
            listed = [group["logGroupName"] for group in page["logGroups"]]
            found += [name for name in listed if prefix in prefixes or name == prefix]
    return list(dict.fromkeys(found))


def delete_task_definitions(session: Session, family: str) -> int:
    """Deregister and delete every revision of a family, retained ones too; return how many there were."""
    client = session.client("ecs")
    for revision in _revisions(client, family, "ACTIVE"):
        client.deregister_task_definition(taskDefinition=revision)
    inactive = _revisions(client, family, "INACTIVE")
    for start in range(0, len(inactive), _BATCH):
        client.delete_task_definitions(taskDefinitions=inactive[start : start + _BATCH])
    return len(inactive)


def count_task_definitions(session: Session, family: str) -> int:
    """How many revisions a family has."""
    client = session.client("ecs")
    return sum(len(_revisions(client, family, status)) for status in ("ACTIVE", "INACTIVE"))


def _revisions(client: Any, family: str, status: str) -> list[str]:
    pages = client.get_paginator("list_task_definitions").paginate(familyPrefix=family, status=status)
    arns = [arn for page in pages for arn in page["taskDefinitionArns"]]
    # AWS lists families whose names only begin with this one's, too.
    return [arn for arn in arns if arn.rpartition("/")[2].rpartition(":")[0] == family]


def _empty_bucket(session: Session, bucket: DataResource) -> None:
    client = session.client("s3")
    with suppress_code("NoSuchBucket"):
        for batch in _versions(client, bucket.id):
            answer = client.delete_objects(Bucket=bucket.id, Delete={"Objects": batch, "Quiet": True})
            for failed in answer.get("Errors", []):
                raise ClientError({"Error": {"Code": failed["Code"], "Message": failed["Message"]}}, "DeleteObjects")
        if bucket.retained:
            client.delete_bucket(Bucket=bucket.id)


def _versions(client: Any, bucket: str) -> Iterator[list[dict[str, str]]]:
    """Every version and delete marker, in batches that one call can delete."""
    for page in client.get_paginator("list_object_versions").paginate(Bucket=bucket):
        versions = page.get("Versions", []) + page.get("DeleteMarkers", [])
        if versions:
            yield [{"Key": one["Key"], "VersionId": one["VersionId"]} for one in versions]


def _schedule_key_deletion(session: Session, key: DataResource) -> Remainder | None:
    client = session.client("kms")
    try:
        state = client.describe_key(KeyId=key.id)["KeyMetadata"]
    except ClientError as error:
        if code_of(error) == "NotFoundException":
            return None
        raise
    if state["KeyState"] == "PendingDeletion":
        return Remainder("waiting-period", state.get("DeletionDate"))
    answer = client.schedule_key_deletion(KeyId=key.id, PendingWindowInDays=KEY_DELETION_DAYS)
    return Remainder("waiting-period", answer.get("DeletionDate"))
