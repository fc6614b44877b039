"""What `git status` says of a work tree, all at one moment."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from scaffold.core.git import git

_STATUS = ("status", "--porcelain=v2", "--branch", "--no-ahead-behind", "--untracked-files=all", "-z")
# How many words come before the path, by the first word of an entry.
_WORDS = {"1": 8, "2": 9, "u": 10, "?": 1}
_RENAMED = "2"


@dataclass(frozen=True)
class Status:
    """The state of a work tree.

    Attributes:
        commit: The commit that is checked out; None before the first one.
        branch: The branch that is checked out; None where HEAD is detached.
        changed: The paths of what is not committed: changed, unmerged and untracked files.
        unmerged: The paths with conflicts that nobody has marked as resolved.
    """

    commit: str | None
    branch: str | None
    changed: tuple[str, ...]
    unmerged: tuple[str, ...]


def status(folder: Path) -> Status:
    """The state of the work tree that a folder is in.

    Raises:
        GitFailed: It is in none.
    """
    heads: dict[str, str] = {}
    found: list[tuple[str, str]] = []
    entries = iter(git(*_STATUS, cwd=folder).split("\0"))
    for entry in entries:
        kind, _, rest = entry.partition(" ")
        if kind == "#":
            name, _, value = rest.partition(" ")
            heads[name] = value
        elif kind in _WORDS:
            found.append((kind, entry.split(" ", _WORDS[kind])[-1]))
            if kind == _RENAMED:
                next(entries, None)  # its path before
    commit, branch = heads["branch.oid"], heads["branch.head"]
    return Status(
        commit=None if commit == "(initial)" else commit,
        branch=None if branch == "(detached)" else branch,
        changed=tuple(path for _, path in found),
        unmerged=tuple(path for kind, path in found if kind == "u"),
    )
