"""The foundation's data that CloudFormation takes to exist: what is gone or unusable, and how it comes back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from scaffold.aws.cloudformation.stacks import Stack
from scaffold.aws.data import BUCKET, IMAGES, KEY
from scaffold.aws.errors import code_of, suppress_code
from scaffold.aws.session import Session
from scaffold.service import names


@dataclass(frozen=True)
class Lost:
    """A resource of a stack that exists only in CloudFormation's records, or cannot be used.

    Attributes:
        state: `missing`; for a key also `pending-deletion` or `disabled`; for others `unconfigured`: CloudFormation has
            not configured it, since it lacks the stack's tags.
    """

    type: str
    id: str
    state: str


def lost_resources(session: Session, stack: Stack) -> list[Lost]:
    """The buckets, image repositories and keys of a stack that are gone or unusable."""
    pages = session.client("cloudformation").get_paginator("list_stack_resources").paginate(StackName=stack.id)
    found = []
    for one in (one for page in pages for one in page["StackResourceSummaries"]):
        kind, identifier = one["ResourceType"], one.get("PhysicalResourceId")
        if kind in _STATES and identifier and not one["ResourceStatus"].startswith("DELETE_"):
            state = _STATES[kind](session, identifier, stack)
            found += [Lost(kind, identifier, state)] if state else []
    return found


def restore_key(session: Session, key: Lost) -> None:
    """Make a key usable: cancel its deletion, enable it. A later teardown may schedule its deletion again."""
    client = session.client("kms")
    if key.state == "pending-deletion":
        # Another person may have cancelled the deletion meanwhile.
        with suppress_code("KMSInvalidStateException"):
            client.cancel_key_deletion(KeyId=key.id)
    client.enable_key(KeyId=key.id)
    client.untag_resource(KeyId=key.id, TagKeys=[names.TAG_DELETION_SCHEDULED])


def recreate(session: Session, resource: Lost) -> None:
    """Create a missing bucket or image repository again: empty, with its old name and AWS's defaults.

    CloudFormation alone would give the bucket a new name, and refuse it as long as other stacks import the old one.
    """
    if resource.type == IMAGES:
        with suppress_code("RepositoryAlreadyExistsException"):
            session.client("ecr").create_repository(repositoryName=resource.id)
        return
    place: dict[str, Any] = {"CreateBucketConfiguration": {"LocationConstraint": session.region}}
    with suppress_code("BucketAlreadyOwnedByYou"):
        session.client("s3").create_bucket(Bucket=resource.id, **({} if session.region == "us-east-1" else place))


def _bucket(session: Session, name: str, stack: Stack) -> str:
    try:
        tags = session.client("s3").get_bucket_tagging(Bucket=name)["TagSet"]
    except ClientError as error:
        if code_of(error) not in ("NoSuchBucket", "NoSuchTagSet"):
            raise
        return "missing" if code_of(error) == "NoSuchBucket" else "unconfigured"
    return _configured({tag["Key"]: tag["Value"] for tag in tags}, stack)


def _images(session: Session, name: str, stack: Stack) -> str:
    arn = f"arn:{session.partition}:ecr:{session.region}:{session.account}:repository/{name}"
    with suppress_code("RepositoryNotFoundException"):
        tags = session.client("ecr").list_tags_for_resource(resourceArn=arn)["tags"]
        return _configured({tag["Key"]: tag["Value"] for tag in tags}, stack)
    return "missing"


def _configured(tags: dict[str, str], stack: Stack) -> str:
    # What `recreate` creates has no tags until CloudFormation has brought it back to the template.
    return "" if tags.get(names.TAG_SERVICE) == stack.tags.get(names.TAG_SERVICE) else "unconfigured"


def _key(session: Session, key: str, stack: Stack) -> str:  # noqa: ARG001
    states = {"PendingDeletion": "pending-deletion", "Disabled": "disabled"}
    with suppress_code("NotFoundException"):
        return states.get(session.client("kms").describe_key(KeyId=key)["KeyMetadata"]["KeyState"], "")
    return "missing"


_STATES = {BUCKET: _bucket, IMAGES: _images, KEY: _key}
