"""Commits of a service as its local clone knows them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from scaffold.core.git import git
from scaffold.core.git_failures import GitFailed
from scaffold.service.service import Service


@dataclass(frozen=True)
class Commit:
    """A commit with the first line of its message."""

    id: str
    subject: str


def find(service: Service, commit: str) -> Commit | None:
    """A commit by its id; None where the clone does not have it."""
    found = _log(service, f"{commit}^!")
    return found[0] if found else None


def between(service: Service, old: str, new: str) -> tuple[Commit, ...] | None:
    """The commits that `new` has and `old` has not, the newest first; None where the clone lacks one of the two."""
    found = _log(service, f"{old}..{new}")
    return None if found is None else tuple(found)


def tags(service: Service, commit: str) -> tuple[str, ...]:
    """The tags of a commit in the clone."""
    try:
        return tuple(git("tag", "--points-at", commit, cwd=service.root).split())
    except GitFailed:  # the clone lacks the commit
        return ()


def revert_commands(service: Service, commit: str | None) -> str | None:
    """The commands that revert every commit of HEAD after another one; without another one, the newest commit only.

    None where HEAD has no commit after it, or the clone lacks it.
    """
    if commit is None:
        return "git revert HEAD && git push"
    if not between(service, commit, "HEAD"):
        return None
    merges = git("rev-list", "--merges", "--max-count=1", f"{commit}..HEAD", "--", cwd=service.root)
    commits = f"-m 1 $(git rev-list --first-parent {commit}..HEAD)" if merges else f"{commit}..HEAD"
    return f"git revert --no-edit {commits} && git push"


def touching(service: Service, revisions: str, paths: Iterable[str], limit: int) -> list[str]:
    """The commits that change one of these files, the newest first; none where the clone lacks a revision.

    Args:
        revisions: A commit, for it and those before it, or a range.
        limit: The most commits to list.
    """
    try:
        log = git(
            "log", "--no-show-signature", "--format=%H", f"--max-count={limit}", "--end-of-options", revisions, "--",
            *paths, cwd=service.root,
        )  # fmt: skip
    except GitFailed:
        return []
    return log.split()


def _log(service: Service, *revisions: str) -> list[Commit] | None:
    try:
        log = git(
            "log", "--no-show-signature", "--format=%H %s", "--end-of-options", *revisions, "--", cwd=service.root
        )
    except GitFailed:
        return None
    # Not splitlines: a subject may contain other line separators.
    return [Commit(*line.split(" ", 1)) for line in log.split("\n") if line]
