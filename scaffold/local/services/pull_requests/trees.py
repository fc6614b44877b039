"""The files of two branches, merged as CodeCommit does: by whole files, or by their lines."""

from __future__ import annotations

from scaffold.core.git_failures import GitFailed
from scaffold.local.protocol import ServiceError
from scaffold.local.services.pull_requests.history import merge_base
from scaffold.local.services.repositories import Repository

# Git reports conflicts on its standard output.
_CONFLICT = "Git gave no reason"


def merged_tree(repository: Repository, destination: str, source: str, *, by_lines: bool) -> str | None:
    """The tree of a merge; None where both sides have changed the same.

    Args:
        by_lines: Whether both sides may have changed the same file, if not the same lines.
    """
    base = merge_base(repository, destination, source)
    if not base:
        return None
    if not by_lines:
        here, there = (_changes(repository, base, side) for side in (destination, source))
        if any(here[path] != there[path] for path in here.keys() & there.keys()):
            return None
    try:
        # CodeCommit is not known to follow renamed files.
        return repository.git("-c", "merge.renames=false", "merge-tree", "--write-tree", destination, source)
    except GitFailed as error:
        if error.reason != _CONFLICT:
            raise ServiceError(
                "LocalAwsNotImplemented", "Local AWS merges files with Git 2.38 or newer only; real AWS does."
            ) from error
        return None


def _changes(repository: Repository, before: str, after: str) -> dict[str, str]:
    """The mode and the blob of each file that differs, by its path."""
    words = repository.git("diff-tree", "-r", "-z", "--raw", "--no-renames", before, after).split("\0")
    return {path: " ".join(line.split()[1:4:2]) for line, path in zip(words[::2], words[1::2], strict=False)}
