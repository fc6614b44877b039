"""How the calls for the resources of a type are written down, and the permissions that a change needs for them."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from scaffold.iam.policies import Context, as_list
from scaffold.local.permissions.needs import Need, NotRehearsed, passed_role
from scaffold.local.permissions.provisioning.change import Change, request_tags, texts_at
from scaffold.local.protocol import ACCOUNT

_PLACEHOLDER = re.compile(r"\{(\w+)\}")
_CONDITION = re.compile(r"[?+-]")
#: What ARNs start with where region and account are not both in them.
_PREFIXES = {"iam": f"arn:aws:iam::{ACCOUNT}:", "s3": "arn:aws:s3:::"}


@dataclass(frozen=True)
class Tagging:
    """The calls that tag resources of a type.

    Attributes:
        add: Adds tags, also at a creation with tags.
        remove: Removes tags.
        creation: The condition key that names the creating call; empty where the service has none.
    """

    add: str = ""
    remove: str = ""
    creation: str = ""


@dataclass(frozen=True)
class Line:
    """One call in a text of `ResourceCalls`.

    Attributes:
        sign: `?`, `+`, `-` or nothing.
        names: The properties that the sign is about.
    """

    sign: str
    names: tuple[str, ...]
    action: str
    resources: tuple[str, ...]

    def applies(self, change: Change) -> bool:
        """Whether the call is made."""
        test = {"?": change.is_true, "+": change.sets, "-": change.unsets}.get(self.sign)
        return test is None or any(map(test, self.names))


@dataclass(frozen=True)
class ResourceCalls:
    """The calls for the resources of a type.

    Calls are texts with one call a line: the action, and the resources for which it is needed, by default `*`. `self`
    is the resource itself, `{Name}` a property, `{id}` the physical id and `{snapshot}` the beginning of a snapshot's
    name; a resource with a property that is not set is left out. A line may start with a condition about properties,
    which commas separate: `+Name` where one is set or changed, `-Name` where one is unset, both for items of lists too,
    and `?Name` where one is set and not false.

    Attributes:
        service: The service of actions that name none, and of the ARN.
        arn: The resource's ARN, from its service on or complete.
        name: The property that names the resource; empty where AWS does.
        suffix: What follows the name in the ARN before the resource exists.
        parent: The property with the ARN of which a new one is derived, and what is replaced in it by what.
        create: Each creation. The first call creates.
        set: Creations and updates; each line has a condition.
        change: Updates; each line has a condition.
        update: Updates of properties that `set` and `change` do not name.
        delete: Deletions.
        read: After each creation and update.
        roles: The paths of properties with roles, each with the service that the roles are passed to.
        passes_always: Whether each update passes the roles again.
        keys: Condition keys by action, each with the properties of which the first that is set has its value.
        not_rehearsed: Properties that need other calls.
    """

    service: str = ""
    arn: str = "{id}"
    name: str = ""
    suffix: str = ""
    parent: tuple[str, str, str] | None = None
    create: str = ""
    set: str = ""
    change: str = ""
    update: str = ""
    delete: str = ""
    read: str = ""
    tagging: Tagging = Tagging()
    roles: Mapping[str, str] = field(default_factory=dict)
    passes_always: bool = False
    keys: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    not_rehearsed: tuple[str, ...] = ()

    @property
    def actions(self) -> frozenset[str]:
        """The actions of all calls."""
        texts = (self.create, self.set, self.change, self.update, self.delete, self.read)
        found = {line.action for text in (*texts, self.tagging.add, self.tagging.remove) for line in self._lines(text)}
        return frozenset(found | ({"iam:PassRole"} if self.roles else set()))

    def arn_of(self, change: Change) -> str:
        """The ARN of the resource, as far as it is known."""
        return next(self._arns("self", "", change), "")

    def needs(self, change: Change) -> list[Need]:
        """The permissions that a change needs.

        Raises:
            NotRehearsed: They are not known.
        """
        for name in self.not_rehearsed:
            if name in change.properties:
                raise NotRehearsed(f"the permissions of {change.type} with {name}")
        if change.new is None:
            return list(self._calls(self.delete, change))
        return list(self._update(change) if change.old is not None else self._creation(change))

    def _creation(self, change: Change) -> Iterator[Need]:
        tags = change.tags_after
        request = request_tags(tags)
        first, _, others = self.create.strip().partition("\n")
        yield from self._calls(first, change, request)
        if tags:
            creating = {self.tagging.creation: first.split()[0]} if self.tagging.creation else {}
            yield from self._calls(self.tagging.add, change, {**request, **creating})
        own = {f"aws:ResourceTag/{key}": value for key, value in tags.items()}
        for text in (others, self.set, self.read):
            yield from self._calls(text, change, own=own)
        yield from self._passed(change, change.properties.keys())

    def _update(self, change: Change) -> Iterator[Need]:
        changed, before, after = change.changed, change.tags_before, change.tags_after
        for text in (self.set, self.change):
            yield from self._calls(text, change)
        named = {name for text in (self.set, self.change) for line in self._lines(text) for name in line.names}
        tagged_by_update = before != after and not self.tagging.add
        if changed - named or tagged_by_update:
            yield from self._calls(self.update, change, request_tags(after) if tagged_by_update else {})
        if added := {key: value for key, value in after.items() if before.get(key) != value}:
            yield from self._calls(self.tagging.add, change, request_tags(added))
        if removed := [key for key in before if key not in after]:
            yield from self._calls(self.tagging.remove, change, {"aws:TagKeys": removed})
        yield from self._passed(change, change.properties.keys() if changed and self.passes_always else changed)
        yield from self._calls(self.read, change)

    def _passed(self, change: Change, names: Collection[str]) -> Iterator[Need]:
        for path, service in self.roles.items():
            name, *rest = path.split("/")
            if name in names:
                for role in dict.fromkeys(texts_at(change.properties.get(name), rest)):
                    yield passed_role(role, f"{service}.amazonaws.com")

    def _calls(
        self, text: str, change: Change, context: Context | None = None, own: Context | None = None
    ) -> Iterator[Need]:
        """The permissions for the calls of a text.

        Args:
            context: Condition keys of the request.
            own: Those of the resource itself, which cannot be asked before it exists.
        """
        for line in self._lines(text):
            if not line.applies(change):
                continue
            given = {**self._keys_of(line.action, change), **(context or {})}
            for resource in line.resources or ("*",):
                for arn in self._arns(resource, line.action, change):
                    yield Need(line.action, arn, {**given, **((own or {}) if resource == "self" else {})})

    def _keys_of(self, action: str, change: Change) -> dict[str, str | list[str]]:
        """The condition keys of an action. The id of a scalable target ends with its namespace."""
        found: dict[str, str | list[str]] = {}
        for key, names in self.keys.get(action, {}).items():
            values = [change.properties[name] for name in names.split(",") if name in change.properties]
            if values:
                found[key] = str(values[0]).rpartition("|")[2]
        return found

    def _lines(self, text: str) -> Iterator[Line]:
        for line in text.strip().splitlines():
            first, *words = line.split()
            sign = first[0] if _CONDITION.match(first) else ""
            action, *resources = words if sign else (first, *words)
            names = tuple(first[1:].split(",")) if sign else ()
            yield Line(sign, names, action if ":" in action else f"{self.service}:{action}", tuple(resources))

    def _arns(self, resource: str, action: str, change: Change) -> Iterator[str]:
        if resource == "self" and change.arn:
            yield change.arn
            return
        if resource == "self" and self.parent and not change.identifier:
            name, old, new = self.parent
            yield f"{change.properties.get(name, '').replace(old, new)}/*"
            return
        service = self.service if resource == "self" else action.partition(":")[0]
        found = [self.arn if resource == "self" else resource]
        for name in _PLACEHOLDER.findall(found[0]):
            values = [str(one) for one in as_list(self._value(name, change)) if one is not None]
            found = [_filled(text, name, value) for text in found for value in values]
        prefix = _PREFIXES.get(service, f"arn:aws:{service}:{change.region}:{ACCOUNT}:")
        yield from (one if one == "*" or one.startswith("arn:") else prefix + one for one in found)

    def _value(self, name: str, change: Change) -> Any:
        if name == "account":
            return ACCOUNT
        if name == "snapshot":
            return change.snapshot
        if name == "Path":  # Of roles and policies.
            return change.properties.get(name, "/")
        if name != "id":
            return change.properties.get(name)
        if change.identifier:
            return change.identifier
        return f"{change.properties.get(self.name, change.name)}{self.suffix}" if self.name else "*"


def _filled(text: str, name: str, value: str) -> str:
    """A text with a value. The physical id may be the whole ARN; of another ARN, or of a URL, the last part counts."""
    if value.startswith("arn:") and (name == "id" or text == f"{{{name}}}"):
        return value
    return text.replace(f"{{{name}}}", value.rpartition("/")[2] if value.startswith(("arn:", "http")) else value)
