"""The history of two branches: what they have in common, and whether one contains the other."""

from __future__ import annotations

from contextlib import suppress

from scaffold.core.git_failures import GitFailed
from scaffold.local.services.repositories import Repository


def merge_base(repository: Repository, one: str, other: str) -> str:
    """The newest commit that two commits have in common; empty for none."""
    with suppress(GitFailed):
        return repository.git("merge-base", one, other)
    return ""


def contains(repository: Repository, commit: str, earlier: str) -> bool:
    """Whether a commit is, or follows, an earlier one."""
    return merge_base(repository, commit, earlier) == earlier


def was_fast_forwarded(repository: Repository, before: str, after: str, to: str) -> bool:
    """Whether a branch that moved from one commit to another got to a third one by a fast-forward merge."""
    line = repository.git("rev-list", "--first-parent", f"{before}..{after}").splitlines()
    return to in line and contains(repository, to, before)
