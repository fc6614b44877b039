"""The preconditions that a service's Git repository has to meet before it is deployed."""

from __future__ import annotations

import shlex

from scaffold.core.errors import ScaffoldError
from scaffold.core.git_status import Status, status
from scaffold.service.names import BRANCH
from scaffold.service.repository import check_repository
from scaffold.service.service import Service
from scaffold.service.tracked_files import check_merged, check_shipped, file_modes
from scaffold.service.upstream import check_upstream


def deployable_commit(service: Service) -> str:
    """The commit to deploy: HEAD of main, with a clean working tree.

    Raises:
        ScaffoldError: It has no repository of its own, a shallow clone, no commit, another branch checked out,
            uncommitted changes, unresolved conflicts, or files that the pipeline would not get.
    """
    check_repository(service)
    state = status(service.root)
    _check_branch(state)
    check_upstream(service)
    return _complete_commit(service, state, "deployed")


def rehearsable_commit(service: Service) -> str:
    """The commit to rehearse: HEAD of any branch or of none, with a clean working tree.

    Raises:
        ScaffoldError: As `deployable_commit`, except that another branch may be checked out.
    """
    check_repository(service)
    return _complete_commit(service, status(service.root), "rehearsed")


def _complete_commit(service: Service, state: Status, done: str) -> str:
    """HEAD, once everything is committed.

    Args:
        done: What happens to commits, as a participle.
    """
    commit = _commit(state)
    files = file_modes(service, commit)
    check_merged(service, state, files)
    if state.changed:
        first, more = state.changed[0], len(state.changed) - 1
        paths = f"{first} and {more} more" if more else first
        raise ScaffoldError(
            f"There are uncommitted changes: {paths}.",
            f"Commit them (`git add -A && git commit`) or stash them (`git stash -u`): only commits are {done}.",
        )
    check_shipped(service, commit, files)
    return commit


def _check_branch(state: Status) -> None:
    if state.branch is None:
        raise ScaffoldError(
            "HEAD is detached: no branch is checked out.",
            f"Check out {BRANCH} (`git switch {BRANCH}`), then run the same command again.",
        )
    _commit(state)
    if state.branch != BRANCH:
        raise ScaffoldError(
            f"The branch {state.branch} is checked out, but only {BRANCH} is deployed.",
            f"Merge it (`git switch {BRANCH} && git merge {shlex.quote(state.branch)}`), then run the same command "
            "again.",
        )


def _commit(state: Status) -> str:
    if state.commit is None:
        raise ScaffoldError(
            "The repository has no commit yet.", "Commit the service first: `git add -A && git commit`."
        )
    return state.commit
