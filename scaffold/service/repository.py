"""The Git repository of a service: its own, with its whole history."""

from __future__ import annotations

import shlex
from pathlib import Path

from scaffold.core.errors import ScaffoldError
from scaffold.core.git import git
from scaffold.core.git_failures import GitFailed, GitFailure, explain
from scaffold.service.names import BRANCH
from scaffold.service.service import Service


def check_repository(service: Service) -> None:
    """Refuse a service that is not the root of a Git repository, or whose clone is shallow.

    The oldest commit of a shallow clone is not the root commit.

    Raises:
        ScaffoldError: It is in no repository, inside another one, or in a shallow clone.
    """
    shallow, top = False, None
    try:
        # The path last: it may contain line breaks.
        first, _, path = git("rev-parse", "--is-shallow-repository", "--show-toplevel", cwd=service.root).partition(
            "\n"
        )
        shallow, top = first == "true", Path(path)
    except GitFailed as error:
        if error.kind is GitFailure.DUBIOUS_OWNERSHIP:
            trust = f"If you trust it, run `git config --global --add safe.directory {shlex.quote(str(service.root))}`."
            raise explain(error, str(service.root), {error.kind: trust}) from error
    if top is None or not top.samefile(service.root):
        where = "is inside another Git repository" if top else "is not a Git repository"
        raise ScaffoldError(
            f"{service.root} {where}.",
            f"Make it one: `{service.enter} && git init -b {BRANCH} && git add -A && git commit -m 'First commit'`.",
        )
    if shallow:
        raise ScaffoldError(
            "This clone is shallow, so it lacks a part of the repository's history.",
            "Run `git fetch --unshallow`, then the same command again.",
        )
