"""A copy of a service's repository at one commit."""

from __future__ import annotations

from pathlib import Path

from scaffold.core.git import ISOLATED, git, isolated_git
from scaffold.core.git_failures import GitFailed, explain
from scaffold.service import names
from scaffold.service.service import Service, read

# A partial clone would get missing files from its remote, which may be in a real account.
_NO_NETWORK = {"GIT_ALLOW_PROTOCOL": "file"}


def clone(service: Service, commit: str, folder: Path) -> Service:
    """Copy a commit with its history and all tags; its `main` is that commit, and it has no remote.

    Nothing of the service's own repository changes.

    Args:
        commit: HEAD of the service's repository.
        folder: A new folder.
    """
    folder.mkdir(parents=True)
    isolated_git("init", "--quiet", "--template=", f"--initial-branch={names.BRANCH}", cwd=folder)
    try:
        # With the user's configuration, which may have to trust the repository (safe.directory).
        fetch = (*ISOLATED, "fetch", "--quiet", "--no-write-fetch-head")
        git(*fetch, str(service.root), "HEAD", "+refs/tags/*:refs/tags/*", cwd=folder, env=_NO_NETWORK)
        isolated_git("checkout", "--quiet", "-B", names.BRANCH, commit, cwd=folder)
    except GitFailed as error:
        raise explain(error, str(service.root), {}) from error
    return read(folder)
