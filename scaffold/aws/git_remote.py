"""The service's Git remote: comparing it with the commit to deploy, pushing to it, explaining a refused push."""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from botocore.exceptions import BotoCoreError, ClientError

from scaffold.aws.codecommit import main_commit
from scaffold.aws.remote_url import profile_variable, remote_url
from scaffold.aws.session import Session
from scaffold.core.errors import ScaffoldError
from scaffold.core.git import git, network_git, settings
from scaffold.core.git_failures import GitFailed, GitFailure, explain
from scaffold.service import identity, names
from scaffold.service.service import Service

_HELPER = "git-remote-codecommit"
INSTALL_HELPER = f"pipx install {_HELPER}"
# The helper may be installed there only.
_BESIDE_INTERPRETER = Path(sys.executable).parent
_LOOKS = 3
_PROMISOR = re.compile(r"remote\..*\.promisor", re.DOTALL)
MAIN = f"refs/heads/{names.BRANCH}"
_REMEDIES = {
    GitFailure.REMOTE_REJECTED: (
        f"Where {names.BRANCH} is protected, push a branch, have its pull request approved and merged, `git pull`, and "
        "run the same command again."
    ),
    GitFailure.DENIED: (
        "Ask for the permissions codecommit:GitPull and codecommit:GitPush on it, and check the clock of this machine; "
        f"where {names.BRANCH} is protected, push a branch and open a pull request."
    ),
}


@dataclass(frozen=True)
class RemoteState:
    """The repository's main compared with the commit to deploy.

    Attributes:
        commit: The commit to deploy.
        remote: The commit of the repository's main; None where it has no such branch.
        ahead: How many commits are to be pushed.
    """

    commit: str
    remote: str | None
    ahead: int

    @property
    def pushed(self) -> bool:
        """Whether the repository's main is the commit already."""
        return self.remote == self.commit


def compare(session: Session, service: Service, commit: str, root_commit: str) -> RemoteState:
    """Compare the existing repository with the commit to deploy, whose root commit is known.

    Raises:
        ScaffoldError: The repository is another service's, or its main is ahead of this one or has diverged.
    """
    main = main_commit(session, service.app_name)
    if main == commit:
        return RemoteState(commit, commit, 0)
    refs = remote_refs(session, service, main)
    remote = refs.get(MAIN)
    if remote == commit:
        return RemoteState(commit, remote, 0)
    fetch(session, service, refs)
    check_owner(service, refs, root_commit, "scaffold deploy")
    if remote is None:
        return unpushed(service, commit)
    lacking, ahead = _difference(service, remote, commit)
    if lacking:
        behind = not ahead
        raise ScaffoldError(
            f"The local {names.BRANCH} is behind {names.BRANCH} of the CodeCommit repository."
            if behind
            else f"The local {names.BRANCH} has diverged from {names.BRANCH} of the CodeCommit repository.",
            f"Run `{profile_variable(session)}git pull {'--ff-only' if behind else '--rebase'} "
            f"{remote_url(session, service)} {names.BRANCH}`, then the same command again.",
        )
    return RemoteState(commit, remote, ahead)


def unpushed(service: Service, commit: str) -> RemoteState:
    """The state of a repository without a main branch."""
    return RemoteState(commit, None, int(git("rev-list", "--count", commit, cwd=service.root)))


def push(session: Session, service: Service, commit: str) -> None:
    """Push a commit to the repository's main.

    Raises:
        ScaffoldError: The push was refused.
    """
    refspec = f"{commit}:{MAIN}"
    # The user may have configured signed pushes, which CodeCommit does not support.
    try:
        _git(session, service, "push", "--no-signed", "--quiet", _url(service), refspec)
    except ScaffoldError:
        if not _arrived(session, service, commit):
            raise


def configure_remote(session: Session, service: Service, commit: str) -> str:
    """Configure the remote and the upstream branch for plain `git push` and `git pull`; return the remote's name.

    Args:
        commit: The current commit of the repository's main.
    """
    url = remote_url(session, service)
    configured = settings(service.root)
    listed = git("remote", cwd=service.root).splitlines()
    remotes = {name: configured.get(f"remote.{name}.url", "") for name in listed}
    # The same repository, perhaps with another profile. Another origin, such as a mirror, is the user's and stays.
    ours = re.compile(re.escape(_url(service)).replace("://", "://([^/]+@)?"))
    remote = "origin" if ours.fullmatch(remotes.get("origin", url)) else "codecommit"
    if remote not in remotes:
        git("remote", "add", remote, url, cwd=service.root)
    elif remotes[remote] != url:
        git("remote", "set-url", remote, url, cwd=service.root)
    # The push named the URL and not the remote, so Git has not updated the remote-tracking branch.
    git("update-ref", f"refs/remotes/{remote}/{names.BRANCH}", commit, cwd=service.root)
    upstream, merged = (configured.get(f"branch.{names.BRANCH}.{key}") for key in ("remote", "merge"))
    # An earlier run may have been interrupted between the two.
    if not upstream or (upstream == remote and not merged):
        git("config", f"branch.{names.BRANCH}.merge", MAIN, cwd=service.root)
        git("config", f"branch.{names.BRANCH}.remote", remote, cwd=service.root)
    return remote


def remote_refs(session: Session, service: Service, main: str | None = None) -> dict[str, str]:
    """The branches and tags of the repository by their full names, with their commits or tag objects.

    Args:
        main: The commit of main where it is known already.

    Raises:
        ScaffoldError: Git's listing lacks the commit of main that CodeCommit has, so it is incomplete.
    """
    for _ in range(_LOOKS):
        listing = _git(session, service, "ls-remote", "--heads", "--tags", "--refs", _url(service))
        lines = (line.split("\t") for line in listing.splitlines() if "\t" in line)
        refs = {ref: commit for commit, ref in lines}
        main = main or main_commit(session, service.app_name)
        if main is None or refs.get(MAIN) == main:
            return refs
        main = None  # another push may have happened in between
    raise ScaffoldError(
        f"Git and CodeCommit disagree about {names.BRANCH} of {names.repository(service.app_name)}.",
        "Run the same command again in a minute.",
    )


def fetch(session: Session, service: Service, refs: dict[str, str]) -> None:
    """Fetch the refs whose commits this clone lacks, without changing any ref of it."""
    own = set(known(service, refs.values()))
    lacking = [ref for ref, commit in refs.items() if commit not in own]
    if lacking:
        _git(session, service, "fetch", "--quiet", "--no-tags", _url(service), *lacking)


def check_not_partial(service: Service) -> None:
    """Refuse a clone that lacks files of its own history.

    Raises:
        ScaffoldError: It is partial.
    """
    configured = settings(service.root)
    if configured.get("extensions.partialclone") or any(map(_PROMISOR.fullmatch, configured)):
        raise ScaffoldError(
            "This clone is partial, so it lacks files of the repository's history.",
            "Run `git fetch --refetch --no-filter`, then the same command again.",
        )


def known(service: Service, commits: Iterable[str]) -> list[str]:
    """Those of the commits, or tag objects of commits, that this clone has."""
    asked = list(dict.fromkeys(commits))
    lines = "".join(f"{one}^{{commit}}\n" for one in asked)
    answers = git("cat-file", "--batch-check=%(objecttype)", cwd=service.root, stdin=lines).splitlines()
    return [one for one, answer in zip(asked, answers, strict=True) if answer == "commit"]


def check_owner(service: Service, refs: dict[str, str], root_commit: str, command: str) -> None:
    """Refuse the repository of another service.

    Its main decides; without one, any of its branches and tags may be this service's. An empty repository has no owner.

    Args:
        refs: The repository's branches and tags; this clone has their commits.
        root_commit: The root commit of this service.
        command: The command that is refused.

    Raises:
        ScaffoldError: The repository's history has another root commit.
    """
    commits = [refs[MAIN]] if MAIN in refs else known(service, refs.values())
    roots = [identity.root_of(service, commit) for commit in commits]
    if roots and root_commit not in roots:
        repository = f"The CodeCommit repository {names.repository(service.app_name)} in {service.region}"
        raise identity.another_service(service, repository, own=root_commit, other=roots[0], command=command)


def count_unpulled(service: Service, refs: dict[str, str]) -> int:
    """How many commits of the fetched refs are in no branch, tag or stash of this clone."""
    if not refs:
        return 0
    own = ("HEAD", "--branches", "--tags", "--glob=refs/stash")
    return int(git("rev-list", "--count", *refs.values(), "--not", *own, cwd=service.root))


def helper_hint() -> str | None:
    """The hint for a user whose own `git push` will not find git-remote-codecommit; None when it will."""
    if shutil.which(_HELPER):
        return None
    return f"For `git push` by hand, put {_HELPER} on your PATH: `{INSTALL_HELPER}`."


def helper_path() -> str | None:
    """The program git-remote-codecommit that deployments use; None where there is none."""
    return shutil.which(_HELPER, path=_search_path())


def _arrived(session: Session, service: Service, commit: str) -> bool:
    """Whether main is a commit although Git reports a failure: its answer was lost, or another deployment pushed it."""
    try:
        return main_commit(session, service.app_name) == commit
    except (BotoCoreError, ClientError):
        return False


def _git(session: Session, service: Service, *arguments: str) -> str:
    try:
        # An empty helper clears the list of credential helpers: none may store a signature that is valid for minutes.
        return network_git(
            "-c", "credential.helper=", *arguments, cwd=service.root, env=_variables(session), https=True
        )
    except GitFailed as error:
        raise explain(error, f"the CodeCommit repository {names.repository(service.app_name)}", _REMEDIES) from error


def _variables(session: Session) -> dict[str, str]:
    """Environment variables for Git: the remote helper on the PATH, and this session's credentials."""
    variables = session.git_variables()
    return {**variables, "PATH": _search_path(variables.get("PATH"))}


def _search_path(path: str | None = None) -> str:
    return os.pathsep.join([str(_BESIDE_INTERPRETER), path or os.environ.get("PATH", os.defpath)])


def _url(service: Service) -> str:
    return names.remote_url(service.app_name, service.region)


def _difference(service: Service, old: str, new: str) -> tuple[int, int]:
    """How many commits only the old commit has, and how many only the new one."""
    only_old, only_new = git("rev-list", "--left-right", "--count", f"{old}...{new}", cwd=service.root).split()
    return int(only_old), int(only_new)
