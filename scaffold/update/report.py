"""What an update does to each file and each answer."""

from __future__ import annotations

import json
from collections.abc import Container, Mapping
from dataclasses import dataclass
from typing import Any

from scaffold.update.merge import Merged
from scaffold.update.repository import Entries, shown

DELETED_BY_KIT = "deleted by the kit, changed here"
RENAMED = "renamed on both sides"
_CAUSES = {
    frozenset({1, 2, 3}): "changed on both sides",
    frozenset({2, 3}): "added on both sides",
    frozenset({1, 2}): DELETED_BY_KIT,
}


@dataclass(frozen=True)
class FileChange:
    """What happens to one file.

    Attributes:
        path: Relative to the service's directory; what is not UTF-8 or not printable is escaped.
        action: `create`, `update`, `delete`, `rename` or `conflict`.
        previous_path: Where a renamed file was.
        cause: Why there is a conflict.
        lines: The line of each conflict marker; none if the file has no markers, such as a binary one.
    """

    path: str
    action: str
    previous_path: str | None = None
    cause: str | None = None
    lines: tuple[int, ...] = ()


@dataclass(frozen=True)
class AnswerChange:
    """An answer that differs from the recorded one; None where the kit does not ask before or after.

    Attributes:
        by_default: Whether it was neither recorded nor given, so that it is the kit's default.
    """

    name: str
    old: Any
    new: Any
    by_default: bool = False


def file_changes(head: Entries, merged: Merged, prefix: bytes, moved: Mapping[bytes, bytes]) -> list[FileChange]:
    """What happens to the files, in the order of their paths.

    Args:
        prefix: The service's path in its repository.
        moved: The former paths of renamed files, by their new ones.
    """
    entries = merged.entries
    created, deleted = entries.keys() - head.keys(), head.keys() - entries.keys()
    found: dict[bytes, FileChange] = {}
    for name in created:
        old = moved.get(name)
        found[name] = FileChange(
            _relative(name, prefix), "rename" if old else "create", _relative(old, prefix) if old else None
        )
    for name in deleted - {old for new, old in moved.items() if new in entries}:
        found[name] = FileChange(_relative(name, prefix), "delete")
    for name in entries.keys() & head.keys():
        if entries[name] != head[name]:
            found[name] = FileChange(_relative(name, prefix), "update")
    for name, stages in merged.unmerged.items():
        cause = _CAUSES.get(frozenset(stages), RENAMED)
        lines = merged.lines.get(name, ())
        found[name] = FileChange(_relative(name, prefix), "conflict", cause=cause, lines=lines)
    return [found[name] for name in sorted(found)]


def answer_changes(old: Mapping[str, Any], new: Mapping[str, Any], given: Container[str]) -> list[AnswerChange]:
    """The answers that change, in the order of the questions.

    Args:
        given: The names of those that were given, not taken from the kit's defaults.
    """
    names = [*new, *(name for name in old if name not in new)]
    return [
        AnswerChange(name, _plain(old.get(name)), _plain(new.get(name)), name not in old and name not in given)
        for name in names
        if old.get(name) != new.get(name)
    ]


def _plain(value: Any) -> Any:
    """The value as JSON has it; YAML has dates too."""
    return json.loads(json.dumps(value, default=str))


def _relative(name: bytes, prefix: bytes) -> str:
    return shown(name.removeprefix(prefix))
