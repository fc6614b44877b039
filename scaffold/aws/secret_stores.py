"""The stores of secrets: Parameter Store and Secrets Manager. No function returns a value."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from botocore.exceptions import ClientError

from scaffold.aws.errors import code_of
from scaffold.aws.session import Session

#: How long Secrets Manager keeps a deleted secret, the shortest time that it allows.
RECOVERY_DAYS = 7


@dataclass(frozen=True)
class StoredSecret:
    """A secret in its store.

    Attributes:
        path: `app/environment/name`.
        changed: When its value was set.
        tags: None where they were not asked for.
        deleted: Whether it is about to be deleted, and can be restored.
    """

    path: str
    changed: datetime | None
    tags: Mapping[str, str] | None = field(default=None, repr=False)
    deleted: bool = False


class Store(ABC):
    """A store.

    Attributes:
        name: As options and the repository's list name it.
        title: As text names it.
        most_bytes: The longest value.
    """

    name: str
    title: str
    most_bytes: int

    def __init__(self, session: Session) -> None:
        self._client = session.client(self._service)

    _service: str

    @abstractmethod
    def find(self, path: str) -> StoredSecret | None:
        """A secret with its tags; None where there is none."""

    @abstractmethod
    def below(self, path: str) -> Iterator[StoredSecret]:
        """The secrets whose paths begin with this one and a slash."""

    @abstractmethod
    def create(self, path: str, value: str, tags: Mapping[str, str]) -> None:
        """Create a secret; fails where it exists."""

    @abstractmethod
    def replace(self, path: str, value: str) -> None:
        """Give a secret another value, also one that is about to be deleted."""

    @abstractmethod
    def delete(self, path: str) -> None:
        """Delete a secret, with all its values."""


class ParameterStore(Store):
    """SecureString parameters, encrypted with the key of AWS for the account."""

    name, title, most_bytes, _service = "parameter-store", "Parameter Store", 4_096, "ssm"

    def find(self, path: str) -> StoredSecret | None:
        """A parameter with its tags; None where there is none."""
        found = self._described({"Key": "Name", "Values": [f"/{path}"]})
        for one in found:
            answer = self._client.list_tags_for_resource(ResourceType="Parameter", ResourceId=f"/{path}")
            tags = {tag["Key"]: tag["Value"] for tag in answer["TagList"]}
            return StoredSecret(path, one["LastModifiedDate"], tags)
        return None

    def below(self, path: str) -> Iterator[StoredSecret]:
        """The parameters whose paths begin with this one and a slash, without their tags."""
        for one in self._described({"Key": "Path", "Option": "Recursive", "Values": [f"/{path}"]}):
            yield StoredSecret(one["Name"].lstrip("/"), one["LastModifiedDate"])

    def create(self, path: str, value: str, tags: Mapping[str, str]) -> None:
        """Create a parameter; fails where it exists."""
        pairs = [{"Key": key, "Value": text} for key, text in tags.items()]
        self._client.put_parameter(Name=f"/{path}", Value=value, Type="SecureString", Tier="Standard", Tags=pairs)

    def replace(self, path: str, value: str) -> None:
        """Give a parameter another value."""
        self._client.put_parameter(Name=f"/{path}", Value=value, Type="SecureString", Overwrite=True)

    def delete(self, path: str) -> None:
        """Delete a parameter."""
        self._client.delete_parameter(Name=f"/{path}")

    def _described(self, criterion: dict[str, Any]) -> Iterator[dict[str, Any]]:
        for page in self._client.get_paginator("describe_parameters").paginate(ParameterFilters=[criterion]):
            yield from page["Parameters"]


class SecretsManager(Store):
    """Secrets of Secrets Manager, encrypted with the key of AWS for the account."""

    name, title, most_bytes, _service = "secrets-manager", "Secrets Manager", 65_536, "secretsmanager"

    def find(self, path: str) -> StoredSecret | None:
        """A secret with its tags; None where there is none."""
        try:
            return self._stored(self._client.describe_secret(SecretId=path))
        except ClientError as error:
            if code_of(error) == "ResourceNotFoundException":
                return None
            raise

    def below(self, path: str) -> Iterator[StoredSecret]:
        """The secrets whose names begin with this path and a slash."""
        criterion = {"Key": "name", "Values": [f"{path}/"]}
        for page in self._client.get_paginator("list_secrets").paginate(Filters=[criterion]):
            yield from (self._stored(one) for one in page["SecretList"] if one["Name"].startswith(f"{path}/"))

    def create(self, path: str, value: str, tags: Mapping[str, str]) -> None:
        """Create a secret; fails where it exists."""
        pairs = [{"Key": key, "Value": text} for key, text in tags.items()]
        self._client.create_secret(Name=path, SecretString=value, Tags=pairs)

    def replace(self, path: str, value: str) -> None:
        """Give a secret another value, also one that is about to be deleted."""
        found = self.find(path)
        if found and found.deleted:
            self._client.restore_secret(SecretId=path)
        self._client.put_secret_value(SecretId=path, SecretString=value)

    def delete(self, path: str) -> None:
        """Delete a secret; until the end of its recovery window it can be restored."""
        self._client.delete_secret(SecretId=path, RecoveryWindowInDays=RECOVERY_DAYS)

    @staticmethod
    def _stored(found: dict[str, Any]) -> StoredSecret:
        tags = {tag["Key"]: tag["Value"] for tag in found.get("Tags", [])}
        changed = found.get("LastChangedDate") or found.get("CreatedDate")
        return StoredSecret(found["Name"], changed, tags, deleted=found.get("DeletedDate") is not None)


STORES: tuple[type[Store], ...] = (ParameterStore, SecretsManager)


def store_named(session: Session, name: str) -> Store:
    """The store of this name."""
    return next(kind for kind in STORES if kind.name == name)(session)


def stores(session: Session) -> list[Store]:
    """All stores."""
    return [kind(session) for kind in STORES]
