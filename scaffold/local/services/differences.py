"""The files that differ between two commits, as CodeCommit's GetDifferences returns them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress

from scaffold.core.git_failures import GitFailed
from scaffold.local.protocol import Document, ServiceError
from scaffold.local.services.repositories import Repository

_PAGE = 100
_MISSING = "000000"
_COMMIT_ID = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")


def get_differences(repository: Repository, parameters: Document) -> Document:
    """One page of the differences, in the order of their paths. A renamed file is a deleted one and an added one.

    Args:
        parameters: The input of GetDifferences.
    """
    if "beforePath" in parameters or "afterPath" in parameters:
        raise ServiceError("LocalAwsNotImplemented", "Local AWS compares whole commits only; real AWS filters by path.")
    size = int(parameters.get("MaxResults", _PAGE))
    if size < 1:
        raise ServiceError("InvalidMaxResultsException", "The number of results must be positive")
    token = str(parameters.get("NextToken", "0"))
    if not token.isdecimal():
        raise ServiceError("InvalidContinuationTokenException", "The continuation token is not valid")
    after = _tree(repository, str(parameters["afterCommitSpecifier"]))
    given = parameters.get("beforeCommitSpecifier")
    before = _tree(repository, str(given)) if given is not None else repository.git("mktree")
    found, start = list(_differences(repository, before, after)), int(token)
    page: Document = {"differences": found[start : start + size]}
    return page | ({"NextToken": str(start + size)} if start + size < len(found) else {})


def _tree(repository: Repository, specifier: str) -> str:
    """The tree of a commit that is given by its id, or as HEAD, a branch, a tag or a full name of a reference."""
    if not specifier:
        raise ServiceError("CommitRequiredException", "A commit specifier is required")
    alone = specifier == "HEAD" or _COMMIT_ID.fullmatch(specifier)
    for name in [specifier] if alone else _references(repository, specifier):
        with suppress(GitFailed):
            return repository.git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}^{{tree}}")
    raise ServiceError("CommitDoesNotExistException", f"{specifier} does not exist")


def _references(repository: Repository, name: str) -> list[str]:
    with suppress(GitFailed):
        repository.git("check-ref-format", f"refs/heads/{name}")  # Without Git's expressions, such as main~1.
        return [name] if name.startswith("refs/") else [f"refs/heads/{name}", f"refs/tags/{name}"]
    return []


def _differences(repository: Repository, before: str, after: str) -> Iterator[Document]:
    words = repository.git("diff-tree", "-r", "-z", "--raw", "--no-renames", before, after).split("\0")
    for line, path in zip(words[::2], words[1::2], strict=False):
        old_mode, new_mode, old_blob, new_blob, kind = line.removeprefix(":").split()
        blobs = {"beforeBlob": (old_mode, old_blob), "afterBlob": (new_mode, new_blob)}
        yield {
            "changeType": kind if kind in "AD" else "M",
            **{
                side: {"blobId": blob, "path": path, "mode": mode}
                for side, (mode, blob) in blobs.items()
                if mode != _MISSING
            },
        }
