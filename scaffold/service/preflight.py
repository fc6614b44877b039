"""The preconditions that a service's Git repository has to meet before it is deployed."""

from __future__ import annotations

import shlex
from pathlib import Path

from scaffold.core.errors import ScaffoldError
from scaffold.core.git import git
from scaffold.core.git_failures import GitFailed, GitFailure, explain
from scaffold.service.names import BRANCH
from scaffold.service.service import Service
from scaffold.service.tracked_files import check_merged, check_shipped
from scaffold.service.upstream import check_upstream


def deployable_commit(service: Service) -> str:
    """The commit to deploy: HEAD of main, with a clean working tree.

    Raises:
        ScaffoldError: It has no repository of its own, no commit, another branch checked out, uncommitted changes,
            unresolved conflicts, or files that the pipeline would not get.
    """
    check_repository(service)
    _check_branch(service)
    check_upstream(service)
    return _complete_commit(service, "deployed")


def rehearsable_commit(service: Service) -> str:
    """The commit to rehearse: HEAD of any branch or of none, with a clean working tree.

    Raises:
        ScaffoldError: As `deployable_commit`, except that another branch may be checked out.
    """
    check_repository(service)
    _check_commit(service)
    return _complete_commit(service, "rehearsed")


def check_repository(service: Service) -> None:
    """Refuse a service that is not the root of a Git repository.

    Raises:
        ScaffoldError: It is in no repository, or inside another one.
    """
    try:
        top: Path | None = Path(git("rev-parse", "--show-toplevel", cwd=service.root))
    except GitFailed as error:
        if error.kind is GitFailure.DUBIOUS_OWNERSHIP:
            trust = f"If you trust it, run `git config --global --add safe.directory {shlex.quote(str(service.root))}`."
            raise explain(error, str(service.root), {error.kind: trust}) from error
        top = None
    if top is None or not top.samefile(service.root):
        where = "is inside another Git repository" if top else "is not a Git repository"
        raise ScaffoldError(
            f"{service.root} {where}.",
            f"Make it one: `{service.enter} && git init -b {BRANCH} && git add -A && git commit -m 'First commit'`.",
        )


def _complete_commit(service: Service, done: str) -> str:
    """HEAD, once everything is committed.

    Args:
        done: What happens to commits, as a participle.
    """
    check_merged(service)
    status = ("-c", "core.quotePath=false", "status", "--porcelain", "--untracked-files=all")
    changed = git(*status, cwd=service.root).splitlines()
    if changed:
        first, more = changed[0][3:], len(changed) - 1
        files = f"{first} and {more} more" if more else first
        raise ScaffoldError(
            f"There are uncommitted changes: {files}.",
            f"Commit them (`git add -A && git commit`) or stash them (`git stash -u`): only commits are {done}.",
        )
    check_shipped(service)
    return git("rev-parse", "HEAD", cwd=service.root)


def _check_branch(service: Service) -> None:
    try:
        branch = git("symbolic-ref", "--quiet", "--short", "HEAD", cwd=service.root)
    except GitFailed as error:
        raise ScaffoldError(
            "HEAD is detached: no branch is checked out.",
            f"Check out {BRANCH} (`git switch {BRANCH}`), then run the same command again.",
        ) from error
    _check_commit(service)
    if branch != BRANCH:
        raise ScaffoldError(
            f"The branch {branch} is checked out, but only {BRANCH} is deployed.",
            f"Merge it (`git switch {BRANCH} && git merge {shlex.quote(branch)}`), then run the same command again.",
        )


def _check_commit(service: Service) -> None:
    try:
        git("rev-parse", "--verify", "--quiet", "HEAD^{commit}", cwd=service.root)
    except GitFailed as error:
        raise ScaffoldError(
            "The repository has no commit yet.", "Commit the service first: `git add -A && git commit`."
        ) from error
