"""A change of a resource of a stack, and which of its properties it concerns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from scaffold.iam.policies import as_list
from scaffold.local.protocol import Document

#: What identifies an item in a list of a property.
_KEYS = ("PolicyName", "Id", "Key")


@dataclass(frozen=True)
class Change:
    """A resource that is created, updated or deleted.

    Attributes:
        name: The name that CloudFormation generates where the template gives none.
        identifier: The physical id; empty before the resource exists.
        old: The properties before; None for a creation.
        new: The properties after; None for a deletion.
        arn: The ARN, where it does not follow from properties and physical id.
        snapshot: What the name begins with of a snapshot that its deletion leaves.
    """

    type: str
    region: str
    name: str = ""
    identifier: str = ""
    old: Document | None = None
    new: Document | None = None
    arn: str = ""
    snapshot: str = ""

    @property
    def properties(self) -> Document:
        """The properties after the change, or of what is deleted."""
        return (self.old if self.new is None else self.new) or {}

    @property
    def changed(self) -> set[str]:
        """The properties that differ, without the tags."""
        old, new = self.old or {}, self.new or {}
        return {key for key in old.keys() | new.keys() if old.get(key) != new.get(key)} - {"Tags"}

    def sets(self, name: str) -> bool:
        """Whether a property gets another value, or a list another item."""
        before, after = (self.old or {}).get(name), (self.new or {}).get(name)
        if isinstance(before, list) and isinstance(after, list):
            return any(item not in before for item in after)
        return after not in (None, before)

    def unsets(self, name: str) -> bool:
        """Whether a property loses its value, or a list an item."""
        before, after = (self.old or {}).get(name), (self.new or {}).get(name)
        if isinstance(before, list) and isinstance(after, list):
            kept = [_key(item) for item in after]
            return any(_key(item) not in kept for item in before)
        return before is not None and after is None

    def is_true(self, name: str) -> bool:
        """Whether a property is set, and not false or empty."""
        return str(self.properties.get(name) or False).lower() != "false"

    @property
    def tags_before(self) -> dict[str, str]:
        """The tags before the change."""
        return _tags(self.old)

    @property
    def tags_after(self) -> dict[str, str]:
        """The tags after the change."""
        return _tags(self.new)


def request_tags(tags: Mapping[str, str]) -> dict[str, str | list[str]]:
    """The condition keys of a request with tags."""
    found: dict[str, str | list[str]] = {f"aws:RequestTag/{key}": value for key, value in tags.items()}
    return found | ({"aws:TagKeys": list(tags)} if tags else {})


def texts_at(value: Any, path: list[str]) -> list[str]:
    """The texts at a path of a property; `*` stands for each item of a list."""
    if not path:
        return [value] if isinstance(value, str) and value else []
    if path[0] == "*":
        return [text for item in as_list(value or []) for text in texts_at(item, path[1:])]
    return texts_at(value.get(path[0]), path[1:]) if isinstance(value, dict) else []


def _key(item: Any) -> Any:
    if isinstance(item, dict):
        return next((item[key] for key in _KEYS if key in item), item)
    return item


def _tags(properties: Document | None) -> dict[str, str]:
    """The tags of a resource, without CloudFormation's own, which need no permissions."""
    given = (properties or {}).get("Tags") or {}
    pairs = given.items() if isinstance(given, dict) else [(one["Key"], one["Value"]) for one in given]
    return {str(key): str(value) for key, value in pairs if not str(key).startswith("aws:")}
