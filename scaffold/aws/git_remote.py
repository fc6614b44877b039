"""Getting the service's commits into its CodeCommit repository, through git-remote-codecommit."""

from __future__ import annotations

import os
import re
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from scaffold.aws.codecommit import main_commit
from scaffold.aws.session import Account
from scaffold.core.errors import ScaffoldError
from scaffold.core.git import GitFailed, git
from scaffold.service import names
from scaffold.service.service import Service

_HELPER = "git-remote-codecommit"
_UNREACHABLE = ("could not resolve", "failed to connect", "couldn't connect", "timed out", "connection refused")


@dataclass(frozen=True)
class Publication:
    """Where the repository's main stands against the commit to deploy.

    Attributes:
        commit: The commit to deploy.
        remote: The commit that the repository's main has; None while it has none.
        ahead: How many commits are to be pushed.
    """

    commit: str
    remote: str | None
    ahead: int

    @property
    def pushed(self) -> bool:
        """Whether the repository has the commit already."""
        return self.remote == self.commit


def look(account: Account, service: Service, commit: str) -> Publication:
    """Compare the repository with the commit to deploy, and refuse a repository that it does not fit.

    Args:
        account: The account; its repository exists.
        service: The service.
        commit: The commit to deploy.

    Raises:
        ScaffoldError: The repository holds another history, or its main is ahead of this one or has diverged.
    """
    if main_commit(account, service.app_name) == commit:
        return Publication(commit, commit, 0)
    heads = remote_heads(account, service)
    remote = heads.get(names.BRANCH)
    if remote == commit:
        return Publication(commit, remote, 0)
    known = remote or next(iter(heads.values()), None)
    if known is not None:
        fetch(account, service, heads)
        _check_history(service, commit, known)
    if remote is None:
        return first(service, commit)
    if not _contains(service, commit, remote):
        behind = _contains(service, remote, commit)
        raise ScaffoldError(
            f"{names.BRANCH} here is behind the repository's."
            if behind
            else f"{names.BRANCH} has diverged from the repository's.",
            f"Run `git pull {'--ff-only' if behind else '--rebase'} {remote_url(account, service)} {names.BRANCH}`, "
            "then the same command again.",
        )
    return Publication(commit, remote, _count(service, f"{remote}..{commit}"))


def first(service: Service, commit: str) -> Publication:
    """Where things stand with a repository that is new.

    Args:
        service: The service.
        commit: The commit to deploy.
    """
    return Publication(commit, None, _count(service, commit))


def push(account: Account, service: Service, publication: Publication) -> None:
    """Push the commit to the repository's main.

    Args:
        account: The account.
        service: The service.
        publication: What `look` found.

    Raises:
        ScaffoldError: The push was refused.
    """
    refspec = f"{publication.commit}:refs/heads/{names.BRANCH}"
    # Signed pushes are a setting of the person's machine that CodeCommit does not know.
    _git(account, service, "push", "--no-signed", "--quiet", _url(service), refspec)


def remember_remote(account: Account, service: Service, commit: str) -> str:
    """Make plain `git push` and `git pull` in the service reach its repository; return the remote's name.

    Args:
        account: The account.
        service: The service.
        commit: The commit that the repository's main has now.
    """
    url = remote_url(account, service)
    remotes = dict(_remotes(service))
    # The same repository, perhaps with another profile. The person's own origin, a mirror for one, stays as it is.
    ours = re.compile(re.escape(_url(service)).replace("://", "://([^/]+@)?"))
    remote = "origin" if ours.fullmatch(remotes.get("origin", url)) else "codecommit"
    if remote not in remotes:
        git("remote", "add", remote, url, cwd=service.root)
    elif remotes[remote] != url:
        git("remote", "set-url", remote, url, cwd=service.root)
    # The push named the address and not the remote, so Git has not noted where the remote's main stands.
    git("update-ref", f"refs/remotes/{remote}/{names.BRANCH}", commit, cwd=service.root)
    if not _setting(service, f"branch.{names.BRANCH}.remote"):
        git("config", f"branch.{names.BRANCH}.remote", remote, cwd=service.root)
        git("config", f"branch.{names.BRANCH}.merge", f"refs/heads/{names.BRANCH}", cwd=service.root)
    return remote


def remote_heads(account: Account, service: Service) -> dict[str, str]:
    """The branches of the repository and their commits.

    Args:
        account: The account.
        service: The service.
    """
    listing = _git(account, service, "ls-remote", "--heads", _url(service))
    lines = (line.split("\t") for line in listing.splitlines() if "\t" in line)
    return {ref.removeprefix("refs/heads/"): commit for commit, ref in lines}


def fetch(account: Account, service: Service, heads: dict[str, str]) -> None:
    """Fetch what this clone lacks of the branches, without touching a branch or a remote of the person.

    Args:
        account: The account.
        service: The service.
        heads: The branches, from `remote_heads`.
    """
    lacking = [f"refs/heads/{name}" for name, commit in heads.items() if not knows(service, commit)]
    if lacking:
        _git(account, service, "fetch", "--quiet", "--no-tags", _url(service), *lacking)


def knows(service: Service, commit: str) -> bool:
    """Whether this clone has a commit.

    Args:
        service: The service.
        commit: The commit.
    """
    try:
        git("cat-file", "-e", f"{commit}^{{commit}}", cwd=service.root)
    except GitFailed:
        return False
    return True


def shares_history(service: Service, commit: str) -> bool:
    """Whether a fetched commit has an ancestor in common with what is checked out.

    Args:
        service: The service.
        commit: A commit of the repository.
    """
    try:
        git("merge-base", "HEAD", commit, cwd=service.root)
    except GitFailed:
        return False
    return True


def commits_only_there(service: Service, heads: dict[str, str]) -> int:
    """How many fetched commits no branch, tag or stash of this clone has.

    Args:
        service: The service.
        heads: The repository's branches, fetched.
    """
    if not heads:
        return 0
    own = ("HEAD", "--branches", "--tags", "--glob=refs/stash")
    return int(git("rev-list", "--count", *heads.values(), "--not", *own, cwd=service.root))


def remote_url(account: Account, service: Service) -> str:
    """The address under which the person reaches the repository later, with the profile that was named."""
    return names.remote_url(service.app_name, service.region, account.profile)


def helper_warning() -> str | None:
    """What to tell a person whose own `git push` will not find git-remote-codecommit; None when it will."""
    if shutil.which(_HELPER):
        return None
    return f"For `git push` by hand, put {_HELPER} on your PATH: `pipx install {_HELPER}`."


def _check_history(service: Service, commit: str, remote: str) -> None:
    if shares_history(service, remote):
        return
    if git("rev-parse", "--is-shallow-repository", cwd=service.root) == "true":
        raise ScaffoldError(
            f"This clone is shallow, so {commit[:7]} cannot be compared with the repository.",
            "Run `git fetch --unshallow`, then the same command again.",
        )
    raise ScaffoldError(
        f"The CodeCommit repository {names.repository(service.app_name)} in {service.region} is not this service's: "
        "it holds another history.",
        "Give this service another name (`scaffold new`), or deploy it to another account or region.",
    )


def _git(account: Account, service: Service, *arguments: str) -> str:
    try:
        # An empty helper ends the list of credential helpers: none may store a signature that is valid for minutes.
        return git("-c", "credential.helper=", *arguments, cwd=service.root, env=_environment(account))
    except GitFailed as error:
        raise _translated(error, service, f"git {arguments[0]}") from error


def _environment(account: Account) -> dict[str, str]:
    """Git's environment: the remote helper on the PATH, and the very credentials that were checked."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
    keys = account.session.get_credentials().get_frozen_credentials()
    environment = {"PATH": path, "AWS_ACCESS_KEY_ID": keys.access_key, "AWS_SECRET_ACCESS_KEY": keys.secret_key}
    # An empty token takes an inherited one of other credentials out of effect.
    return environment | {"AWS_SESSION_TOKEN": keys.token or ""}


def _translated(error: GitFailed, service: Service, command: str) -> ScaffoldError:
    said = error.stderr.lower()
    reason = next((line.strip() for line in error.stderr.splitlines() if "rejected]" in line), error.happened)
    if "[rejected]" in said:
        return ScaffoldError(
            f"{names.BRANCH} has diverged from the repository's: somebody pushed meanwhile.",
            "Run `git pull --rebase`, then the same command again.",
        )
    if "remote rejected]" in said or "pre-receive" in said:
        return ScaffoldError(
            f"CodeCommit refused the push to {names.BRANCH}: {reason.rstrip('.')}.",
            f"Where {names.BRANCH} is protected, push a branch, have its pull request approved and merged, `git pull`, "
            "and run the same command again.",
        )
    if "error: 403" in said or "error: 401" in said or "authentication failed" in said:
        return ScaffoldError(
            f"CodeCommit refused access to the repository {names.repository(service.app_name)}.",
            "Have codecommit:GitPull and codecommit:GitPush on it allowed, and check that the clock of this machine is "
            "right; where main is protected, push a branch and open a pull request.",
        )
    if any(words in said for words in _UNREACHABLE):
        return ScaffoldError(
            "CodeCommit's Git endpoint is out of reach.",
            "Check the network and the proxy, then run the same command again: it goes on from here.",
        )
    if f"'{_HELPER.removeprefix('git-')}'" in said or "unable to find remote helper" in said:
        return ScaffoldError(f"{_HELPER} is not installed.", f"Install it: `pipx install {_HELPER}`.")
    return ScaffoldError(f"`{command}` failed: {error.happened.partition('failed: ')[2]}", error.remedy)


def _url(service: Service) -> str:
    return names.remote_url(service.app_name, service.region)


def _contains(service: Service, commit: str, ancestor: str) -> bool:
    try:
        git("merge-base", "--is-ancestor", ancestor, commit, cwd=service.root)
    except GitFailed:
        return False
    return True


def _count(service: Service, revisions: str) -> int:
    return int(git("rev-list", "--count", revisions, cwd=service.root))


def _remotes(service: Service) -> list[tuple[str, str]]:
    listed = [name for name in git("remote", cwd=service.root).splitlines() if name]
    return [(name, _setting(service, f"remote.{name}.url")) for name in listed]


def _setting(service: Service, key: str) -> str:
    try:
        return git("config", "--get", key, cwd=service.root)
    except GitFailed:
        return ""
