"""Buckets, queues and tables by what their names begin with: which there are, and their deletion with all content."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

from scaffold.aws import data
from scaffold.aws.data import BUCKET, DataResource
from scaffold.aws.errors import suppress_code
from scaffold.aws.session import Session

_PAUSE_SECONDS = 1


class DataStore(ABC):
    """One AWS service that holds data.

    Attributes:
        type: The CloudFormation type of what it holds.
    """

    type: ClassVar[str]

    def __init__(self, session: Session) -> None:
        self._session = session

    @abstractmethod
    def find(self, prefix: str) -> list[str]:
        """The ids of what has a name with this beginning, sorted: names, or URLs of queues."""

    @abstractmethod
    def tags(self, identifier: str) -> Mapping[str, str]:
        """Its tags; empty where it has gone meanwhile."""

    @abstractmethod
    def delete(self, identifier: str) -> None:
        """Delete it with its content; what has gone meanwhile is no error."""


class Buckets(DataStore):
    """The buckets of S3."""

    type = BUCKET

    def find(self, prefix: str) -> list[str]:
        """S3 lists those of all regions."""
        pages = self._session.client("s3").get_paginator("list_buckets").paginate(Prefix=prefix)
        return sorted(one["Name"] for page in pages for one in page["Buckets"] if one["Name"].startswith(prefix))

    def tags(self, identifier: str) -> Mapping[str, str]:
        """A bucket without tags is an error for S3."""
        with suppress_code("NoSuchBucket", "NoSuchTagSet"):
            return _mapping(self._session.client("s3").get_bucket_tagging(Bucket=identifier)["TagSet"])
        return {}

    def delete(self, identifier: str) -> None:
        """Delete every version first."""
        data.delete(self._session, DataResource(self.type, identifier, retained=True, disposable=True))


class Queues(DataStore):
    """The queues of SQS."""

    type = "AWS::SQS::Queue"

    def find(self, prefix: str) -> list[str]:
        """Their URLs."""
        pages = self._session.client("sqs").get_paginator("list_queues").paginate(QueueNamePrefix=prefix)
        return sorted(url for page in pages for url in page.get("QueueUrls", []))

    def tags(self, identifier: str) -> Mapping[str, str]:
        """SQS has them as a mapping."""
        with suppress_code("AWS.SimpleQueueService.NonExistentQueue", "QueueDoesNotExist"):
            found: dict[str, str] = self._session.client("sqs").list_queue_tags(QueueUrl=identifier).get("Tags", {})
            return found
        return {}

    def delete(self, identifier: str) -> None:
        """With the messages in it."""
        with suppress_code("AWS.SimpleQueueService.NonExistentQueue", "QueueDoesNotExist"):
            self._session.client("sqs").delete_queue(QueueUrl=identifier)


class Tables(DataStore):
    """The tables of DynamoDB."""

    type = "AWS::DynamoDB::Table"

    def find(self, prefix: str) -> list[str]:
        """DynamoDB lists all of the region."""
        pages = self._session.client("dynamodb").get_paginator("list_tables").paginate()
        return sorted(name for page in pages for name in page["TableNames"] if name.startswith(prefix))

    def tags(self, identifier: str) -> Mapping[str, str]:
        """Of a table by its ARN."""
        session = self._session
        arn = f"arn:{session.partition}:dynamodb:{session.region}:{session.account}:table/{identifier}"
        with suppress_code("ResourceNotFoundException"):
            return _mapping(session.client("dynamodb").list_tags_of_resource(ResourceArn=arn)["Tags"])
        return {}

    def delete(self, identifier: str) -> None:
        """Lift its protection first. Backups to a point in time stay for 35 days."""
        client = self._session.client("dynamodb")
        with suppress_code("ResourceNotFoundException"):
            table = client.describe_table(TableName=identifier)["Table"]
            if table.get("DeletionProtectionEnabled"):
                client.update_table(TableName=identifier, DeletionProtectionEnabled=False)
                table = client.describe_table(TableName=identifier)["Table"]
            # DynamoDB deletes no table that is being changed.
            while table["TableStatus"] in ("CREATING", "UPDATING"):
                time.sleep(_PAUSE_SECONDS)
                table = client.describe_table(TableName=identifier)["Table"]
            if table["TableStatus"] != "DELETING":
                client.delete_table(TableName=identifier)


def data_stores(session: Session) -> list[DataStore]:
    """All of them."""
    return [Buckets(session), Queues(session), Tables(session)]


#: The CloudFormation types of what they hold.
TYPES = frozenset(store.type for store in (Buckets, Queues, Tables))


def _mapping(tags: list[dict[str, Any]]) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in tags}
