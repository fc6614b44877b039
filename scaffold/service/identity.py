"""A service's identity: the root commit of its main, which survives the loss of its CodeCommit repository."""

from __future__ import annotations

import os

from scaffold.core.errors import ScaffoldError
from scaffold.core.git import git
from scaffold.core.git_failures import GitFailed
from scaffold.service import names
from scaffold.service.repository import check_repository
from scaffold.service.service import Service

_MAIN = f"refs/heads/{names.BRANCH}"
# Without a local main, such as in a clone with another default branch, or in a checkout of one commit.
_OTHERWISE = (f"refs/remotes/origin/{names.BRANCH}", "HEAD")
_ROOT = ("rev-list", "--first-parent", "--max-parents=0")
# Replacements and grafts change what one clone shows, not the commits.
_AS_COMMITTED = {"GIT_NO_REPLACE_OBJECTS": "1", "GIT_GRAFT_FILE": os.devnull}
_SHOWN = 12


def root_commit(service: Service) -> str:
    """The root commit of main; of HEAD in a clone that has no main.

    Raises:
        ScaffoldError: The service has no repository of its own, a shallow clone, or no commit.
    """
    check_repository(service)
    for revision in (_MAIN, *_OTHERWISE):
        try:
            return root_of(service, revision)
        except GitFailed:
            if _exists(service, revision):
                raise
    raise ScaffoldError("The repository has no commit yet.", "Commit the service first: `git add -A && git commit`.")


def root_of(service: Service, revision: str) -> str:
    """The root commit of a commit that this clone has.

    A history that another one was merged into has several. That of the first parents is the same before and after.

    Raises:
        GitFailed: It has no such commit.
    """
    return git(*_ROOT, revision, "--", cwd=service.root, env=_AS_COMMITTED)


def another_service(service: Service, what: str, *, own: str, other: str, command: str) -> ScaffoldError:
    """The error for something with this service's name that belongs to another one.

    Args:
        what: What it is, with its name.
        own: The root commit of this service.
        other: The root commit of the other one.
        command: The command that was refused.
    """
    remedy = f"Run `{command}` in a clone of that service."
    if before := _before_rewriting(service, other):
        remedy = (
            f"This clone's history was rewritten: go back with `git switch {names.BRANCH} && git reset --soft "
            f"{before[:_SHOWN]}`, commit, and run the same command again."
        )
    elif command == "scaffold deploy":
        remedy = "Give this service another name (`scaffold new`), or deploy it to another account."
    return ScaffoldError(
        f"{what} is not this service's: the root commit of its {names.BRANCH} is {other[:_SHOWN]}, and that of this "
        f"clone's {names.BRANCH} is {own[:_SHOWN]}.",
        remedy,
    )


def _before_rewriting(service: Service, root: str) -> str | None:
    """The newest commit with that root commit in the reflog of main or of HEAD; None for none."""
    if root not in _lines(service, "rev-list", "--max-parents=0", "--reflog"):
        return None
    for reference in (_MAIN, "HEAD"):
        for commit in dict.fromkeys(_lines(service, "rev-list", "--walk-reflogs", reference, "--")):
            if root in _lines(service, *_ROOT, commit, "--"):
                return commit
    return None


def _exists(service: Service, revision: str) -> bool:
    return bool(_lines(service, "rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}"))


def _lines(service: Service, *arguments: str) -> list[str]:
    try:
        return git(*arguments, cwd=service.root, env=_AS_COMMITTED).splitlines()
    except GitFailed:
        return []
