"""Taking away what outlives a stack or stops its deletion: full buckets, registries, keys, logs, task definitions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from scaffold.aws.cloudformation.stacks import Stack
from scaffold.aws.cloudformation.templates import resources_of
from scaffold.aws.errors import code_of, suppress_code
from scaffold.aws.session import Account

# The shortest that KMS allows between asking for a key's deletion and the deletion.
KEY_DELETION_DAYS = 7
_BATCH = 10


@dataclass(frozen=True)
class Holding:
    """A resource of a stack that holds data.

    Attributes:
        type: Its CloudFormation type.
        id: Its physical id.
        retained: Whether it outlives its stack.
    """

    type: str
    id: str
    retained: bool

    @property
    def title(self) -> str:
        """What it is, as a person reads it."""
        return f"{_TITLES.get(self.type, self.type)} {self.id}"


_TITLES = {
    "AWS::S3::Bucket": "bucket",
    "AWS::ECR::Repository": "image registry",
    "AWS::KMS::Key": "encryption key",
}
# They go with what they belong to, whatever their own deletion policy says.
_ATTACHMENTS = {"AWS::S3::BucketPolicy", "AWS::KMS::Alias", "AWS::Logs::LogGroup", "AWS::ECS::TaskDefinition"}


def holdings(account: Account, stack: Stack) -> list[Holding]:
    """The resources of a stack that hold data or are retained when it is deleted.

    Args:
        account: The account.
        stack: The stack.
    """
    client = account.client("cloudformation")
    body = client.get_template(StackName=stack.id, TemplateStage="Original")["TemplateBody"]
    declared = resources_of(body)
    found = []
    for page in client.get_paginator("list_stack_resources").paginate(StackName=stack.id):
        for resource in page["StackResourceSummaries"]:
            about = declared.get(resource["LogicalResourceId"])
            retained = about is not None and about.retained
            kind, identifier = resource["ResourceType"], resource.get("PhysicalResourceId")
            alive = identifier and resource["ResourceStatus"] not in ("DELETE_COMPLETE", "DELETE_SKIPPED")
            if alive and (kind in _TITLES or (retained and kind not in _ATTACHMENTS)):
                found.append(Holding(kind, identifier, retained))
    return found


def take_away(account: Account, holding: Holding) -> str | None:
    """Empty a resource, and delete it where its stack would not.

    Args:
        account: The account.
        holding: The resource.

    Returns:
        Why it is still there; None when it is gone, or goes with its stack.
    """
    if holding.type == "AWS::S3::Bucket":
        _empty_bucket(account, holding)
    elif holding.type == "AWS::ECR::Repository":
        with suppress_code("RepositoryNotFoundException"):
            account.client("ecr").delete_repository(repositoryName=holding.id, force=True)
    elif holding.type == "AWS::KMS::Key":
        return _schedule_key(account, holding) if holding.retained else None
    elif holding.retained:
        return "its template keeps it when the stack goes; delete it by hand if nobody needs it"
    return None


def delete_logs(account: Account, groups: list[str]) -> list[str]:
    """Delete log groups and say which.

    Args:
        account: The account.
        groups: Their names, from `log_groups`.
    """
    client = account.client("logs")
    for group in groups:
        with suppress_code("ResourceNotFoundException"):
            client.delete_log_group(logGroupName=group)
    return groups


def log_groups(account: Account, prefixes: list[str], exactly: list[str]) -> list[str]:
    """The log groups that exist.

    Args:
        account: The account.
        prefixes: What their names begin with.
        exactly: Whole names.
    """
    client = account.client("logs")
    found: list[str] = []
    for prefix in [*prefixes, *exactly]:
        for page in client.get_paginator("describe_log_groups").paginate(logGroupNamePrefix=prefix):
            listed = [group["logGroupName"] for group in page["logGroups"]]
            found += [name for name in listed if prefix in prefixes or name == prefix]
    return list(dict.fromkeys(found))


def delete_task_definitions(account: Account, family: str) -> int:
    """Deregister and delete every revision of a family, also those that replacements retained; say how many.

    Args:
        account: The account.
        family: The family.
    """
    client = account.client("ecs")
    for revision in _revisions(client, family, "ACTIVE"):
        client.deregister_task_definition(taskDefinition=revision)
    inactive = _revisions(client, family, "INACTIVE")
    for start in range(0, len(inactive), _BATCH):
        client.delete_task_definitions(taskDefinitions=inactive[start : start + _BATCH])
    return len(inactive)


def task_definitions(account: Account, family: str) -> int:
    """How many revisions a family has.

    Args:
        account: The account.
        family: The family.
    """
    client = account.client("ecs")
    return sum(len(_revisions(client, family, status)) for status in ("ACTIVE", "INACTIVE"))


def _revisions(client: Any, family: str, status: str) -> list[str]:
    pages = client.get_paginator("list_task_definitions").paginate(familyPrefix=family, status=status)
    arns = [arn for page in pages for arn in page["taskDefinitionArns"]]
    return [arn for arn in arns if arn.rpartition("/")[2].rpartition(":")[0] == family]


def _empty_bucket(account: Account, holding: Holding) -> None:
    client = account.client("s3")
    with suppress_code("NoSuchBucket"):
        for batch in _versions(client, holding.id):
            answer = client.delete_objects(Bucket=holding.id, Delete={"Objects": batch, "Quiet": True})
            for failed in answer.get("Errors", []):
                raise ClientError({"Error": {"Code": failed["Code"], "Message": failed["Message"]}}, "DeleteObjects")
        if holding.retained:
            client.delete_bucket(Bucket=holding.id)


def _versions(client: Any, bucket: str) -> Iterator[list[dict[str, str]]]:
    """Every version and delete marker, in batches that one call can delete."""
    for page in client.get_paginator("list_object_versions").paginate(Bucket=bucket):
        versions = page.get("Versions", []) + page.get("DeleteMarkers", [])
        if versions:
            yield [{"Key": one["Key"], "VersionId": one["VersionId"]} for one in versions]


def _schedule_key(account: Account, holding: Holding) -> str | None:
    client = account.client("kms")
    try:
        state = client.describe_key(KeyId=holding.id)["KeyMetadata"]
    except ClientError as error:
        if code_of(error) == "NotFoundException":
            return None
        raise
    if state["KeyState"] == "PendingDeletion":
        when = state.get("DeletionDate")
    else:
        answer = client.schedule_key_deletion(KeyId=holding.id, PendingWindowInDays=KEY_DELETION_DAYS)
        when = answer.get("DeletionDate")
    day = f" on {when:%Y-%m-%d}" if when else f" within {KEY_DELETION_DAYS} days"
    return f"KMS deletes a key only after a waiting time: it goes{day} and costs nothing until then"
