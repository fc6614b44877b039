"""What a merge of text cannot express, and an update does before it: the steps in the kit's `includes/steps.yml`.

Steps are data, so that a kit runs no code. A step belongs to a version of the kit, and is for services of older ones.
"""

from __future__ import annotations

import json
import os
import re
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

import yaml

from scaffold.core.errors import ScaffoldError
from scaffold.update.kits import number
from scaffold.update.merge import Trees
from scaffold.update.objects import Objects
from scaffold.update.repository import Entries, shown

if TYPE_CHECKING:
    from packaging.version import Version

_FILE = "includes/steps.yml"
_REGULAR = b"100"
# A member of a JSON object whose value is no object or list, with the comma that belongs to it.
_MEMBER = (
    r'(?:,\s*)?(?P<member>"{name}"\s*:\s*(?:"(?:[^"\\]|\\.)*"|[^\s",\[\]{{}}]+))'
    r"(?P<after>\s*,\s*)?"
)


@dataclass(frozen=True)
class StepTaken:
    """What a step does to one file of a service.

    Attributes:
        version: The version of the kit to which the step belongs.
        path: The file, under its path before the step; relative to the service.
        says: Why, in one sentence.
        new_path: Where the file is after the step, if it is renamed.
        deleted_key: The key that is deleted from the file, with dots between its parts.
        by_hand: Whether people have to do it, since the file has a form that the step does not know.
    """

    version: str
    path: str
    says: str
    new_path: str | None = None
    deleted_key: str | None = None
    by_hand: bool = False


@dataclass(frozen=True)
class Stepped:
    """The trees of a merge after the steps.

    Attributes:
        trees: The trees to merge.
        taken: What the steps did to the files of the service.
        renamed: The former paths of files, by their new ones.
    """

    trees: Trees
    taken: tuple[StepTaken, ...] = ()
    renamed: Mapping[bytes, bytes] = field(default_factory=dict)


@dataclass(frozen=True)
class Step(ABC):
    """One step.

    Attributes:
        version: The version of the kit to which it belongs.
        says: Why, in one sentence.
    """

    version: str
    says: str

    @abstractmethod
    def take(self, stepped: Stepped, objects: Objects, prefix: bytes) -> Stepped:
        """Take the step where it was not taken before.

        Args:
            prefix: The service's path in its repository.
        """


@dataclass(frozen=True)
class RenameFile(Step):
    """A file that the kit has renamed: the owners' changes move with it, however much of it the kit has changed."""

    old: str
    new: str

    def take(self, stepped: Stepped, objects: Objects, prefix: bytes) -> Stepped:  # noqa: ARG002
        """Rename it in the service, and in what the kit's old version generates."""
        old, new = prefix + os.fsencode(self.old), prefix + os.fsencode(self.new)
        trees = stepped.trees
        renamed_by_kit = old in trees.old and old not in trees.new and new in trees.new and new not in trees.old
        if not renamed_by_kit or any(name == new or name.startswith(new + b"/") for name in trees.head):
            return stepped
        moved = replace(trees, old=_moved(trees.old, old, new), head=_moved(trees.head, old, new))
        if old not in trees.head:
            return replace(stepped, trees=moved)
        taken = StepTaken(self.version, self.old, self.says, new_path=self.new)
        return Stepped(moved, (*stepped.taken, taken), {**stepped.renamed, new: old})


@dataclass(frozen=True)
class DeleteKey(Step):
    """A key of JSON files means nothing any more, and whoever reads the files refuses it.

    Attributes:
        key: The keys that lead to it.
        files: A pattern of paths; a star stands for one folder or file, or a part of its name.
    """

    key: tuple[str, ...]
    files: str

    def take(self, stepped: Stepped, objects: Objects, prefix: bytes) -> Stepped:
        """Delete it from the service's files, and from those that the kit's old version generates."""
        trees = stepped.trees
        old, head = self._without(trees.old, objects, prefix), self._without(trees.head, objects, prefix)
        key = ".".join(self.key)
        taken = [
            StepTaken(self.version, path, self.says, deleted_key=key, by_hand=name not in head)
            for name, path in self._found(trees.head, objects, prefix)
        ]
        changed = replace(trees, old={**trees.old, **old}, head={**trees.head, **head})
        return replace(stepped, trees=changed, taken=(*stepped.taken, *taken))

    def _found(self, entries: Entries, objects: Objects, prefix: bytes) -> Iterator[tuple[bytes, str]]:
        """The files with the key, and their paths in the service."""
        for name, (mode, oid) in sorted(entries.items()):
            path = shown(name.removeprefix(prefix))
            regular = name.startswith(prefix) and mode.startswith(_REGULAR)
            if regular and _matches(path, self.files) and _has(objects.read(oid), self.key):
                yield name, path

    def _without(self, entries: Entries, objects: Objects, prefix: bytes) -> Entries:
        """The files from which it can be deleted, without it."""
        changed = {}
        for name, _ in self._found(entries, objects, prefix):
            mode, oid = entries[name]
            if (content := without_key(objects.read(oid), self.key)) is not None:
                changed[name] = (mode, objects.write(content))
        return changed


def due(kit: Path, recorded: str) -> list[Step]:
    """The steps of a kit for a service of another version.

    Args:
        kit: The folder of the version to update to.
        recorded: The version that the service has recorded. One without a number may be older than every step.

    Raises:
        ScaffoldError: The kit's steps cannot be read.
    """
    old = number(recorded)
    return [step for step in _read(kit) if old is None or old < _number(step.version)]


def take(steps: Sequence[Step], trees: Trees, objects: Objects, prefix: bytes) -> Stepped:
    """Take steps, in their order."""
    stepped = Stepped(trees)
    for step in steps:
        stepped = step.take(stepped, objects, prefix)
    return stepped


def without_key(content: bytes, key: tuple[str, ...]) -> bytes | None:
    """A JSON document without a key, all other bytes as they are; None where that takes more than leaving text out."""
    text = content.decode("utf-8")
    wanted = _parsed(text)
    _parent(wanted, key).pop(key[-1])
    for found in re.finditer(_MEMBER.format(name=re.escape(key[-1])), text):
        # The last member takes the comma before it along, each other one that after it.
        start = found.start("member") if found["after"] else found.start()
        shorter = text[:start] + text[found.end() :]
        with suppress(ValueError):
            if _parsed(shorter) == wanted:
                return shorter.encode()
    return None


def _read(kit: Path) -> Iterator[Step]:
    path = kit / _FILE
    if not path.is_file():
        return
    try:
        for entry in yaml.safe_load(path.read_bytes()):
            yield _step(entry)
    except (yaml.YAMLError, OSError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise ScaffoldError(
            f"The steps of the kit's {_FILE} cannot be read: {' '.join(str(error).split())}.",
            "Its owners have to correct it; name another version with --to until then.",
        ) from error


def _step(entry: Mapping[str, Any]) -> Step:
    version, says = str(entry["version"]), str(entry["says"])
    _number(version)
    if entry.keys() == {"version", "says", "rename", "to"}:
        return RenameFile(version, says, _path(entry["rename"]), _path(entry["to"]))
    if entry.keys() == {"version", "says", "delete", "in"} and isinstance(entry["delete"], list) and entry["delete"]:
        return DeleteKey(version, says, tuple(map(str, entry["delete"])), _path(entry["in"]))
    raise ValueError(f"a step has {', '.join(map(str, entry))}")


def _number(version: str) -> Version:
    if parsed := number(version):
        return parsed
    raise ValueError(f"{version} is no version")


def _path(text: str) -> str:
    """A path below the service, as Git has it."""
    path = PurePosixPath(text)
    if path.is_absolute() or ".." in path.parts or path.as_posix() != text or not path.parts:
        raise ValueError(f"{text!r} is no path in a service")
    return text


def _moved(entries: Entries, old: bytes, new: bytes) -> Entries:
    return {new if name == old else name: entry for name, entry in entries.items()}


def _matches(path: str, pattern: str) -> bool:
    parts, patterns = path.split("/"), pattern.split("/")
    return len(parts) == len(patterns) and all(map(fnmatchcase, parts, patterns))


def _has(content: bytes, key: tuple[str, ...]) -> bool:
    """Whether it is JSON with a key; what is no JSON has been no file of the kit for long."""
    try:
        return key[-1] in _parent(_parsed(content.decode("utf-8")), key)
    except (ValueError, KeyError, TypeError):
        return False


def _parsed(text: str) -> Any:
    return json.loads(text.removeprefix("\ufeff"))


def _parent(document: Any, key: tuple[str, ...]) -> dict[str, Any]:
    for part in key[:-1]:
        document = document[part]
    if not isinstance(document, dict):
        raise TypeError(f"{'.'.join(key)} is in no object")
    return document
