"""Where a kit comes from: `--kit`, the defaults of the team, or the one embedded in the package."""

from __future__ import annotations

import os
import shlex
import sysconfig
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from scaffold.core.errors import ScaffoldError, UsageError
from scaffold.core.git import ISOLATED, git, network_git
from scaffold.core.git_failures import GitFailed, GitFailure, explain
from scaffold.kit.defaults import chosen
from scaffold.kit.urls import copier_url, git_url, has_credentials, is_remote

_CONFIGURATIONS = ("copier.yml", "copier.yaml")


@dataclass(frozen=True)
class KitAddress:
    """Where a kit is.

    Attributes:
        source: The address that the service records as `_src_path`; valid from any folder.
        url: The address for Git: a URL, or a repository or bundle on this machine.
        version: The tag or commit that was asked for; None for the newest release.
        known: The commit and its version if they need not be looked up.
    """

    source: str
    url: str
    version: str | None = None
    known: tuple[str, str] | None = None


_REMEDIES = {
    GitFailure.NETWORK: "Check the connection and the address, or leave --kit out to use the embedded kit.",
    GitFailure.DENIED: "Sign in with an account that may read it, then run the same command again.",
    GitFailure.OTHER: "Check the address, for example with `git ls-remote`.",
}


@dataclass(frozen=True)
class KitSource:
    """A kit's files on this machine.

    Attributes:
        source: The address that the service records as `_src_path`.
        commit: The commit that is checked out.
        version: The commit's version that the service records as `_commit`: the release's tag if it has one.
        folder: The clone.
        modes: Git's modes of the files, by path.
    """

    source: str
    commit: str
    version: str
    folder: Path
    modes: Mapping[str, int]


class KitUnusable(ScaffoldError):
    """The kit cannot be fetched, or the source is not a kit."""


class NotAKit(KitUnusable):
    """The address leads to something else."""


class UncommittedKit(KitUnusable):
    """The kit has changes that are not committed."""


class UnknownVersion(UsageError):
    """The kit has no such version.

    Attributes:
        advice: How to name another one, without the name of an option.
    """

    def __init__(self, source: str, version: str, tags: list[str]) -> None:
        nearest = next((tag for tag in tags if tag.removeprefix("v") == version.removeprefix("v")), None)
        newest = f"Name one that exists, such as {', '.join(tags[:3])}" if tags else "Name a tag or commit that exists"
        self.advice = f"Did you mean {nearest}? {newest}" if nearest else newest
        super().__init__(
            f"The kit {source} has no version {version}.", f"{self.advice}, or leave --kit-version out for the newest."
        )


def resolve(kit: str | None = None, version: str | None = None) -> KitAddress:
    """Find the kit to use.

    Args:
        kit: The value of `--kit`: a folder, a Git bundle, a Git URL or a `git+codecommit::` address.
        version: The value of `--kit-version`: a tag or commit; the newest release by default.

    Raises:
        KitUnusable: There is no such folder, or it is not under Git, or has uncommitted changes.
        UsageError: The source or version is empty or looks like an option, or the source has a password.
    """
    source, version, origin = chosen(kit, version)
    if version is not None and (not version or version.startswith("-") or len(version.split()) != 1):
        raise UsageError(
            f"--kit-version {version!r} names no tag or commit.", "Name one, for example --kit-version v1.2.0."
        )
    if source is None:
        return embedded(version)
    if not source.strip() or source.startswith("-"):
        raise UsageError(
            f"{origin} {source!r} is not the address of a kit.",
            "Give a folder, a Git URL or git+codecommit::REGION://REPOSITORY.",
        )
    if has_credentials(source):
        raise UsageError(
            "The kit's address has credentials, which every service generated from it would record in Git.",
            "Leave it out, and let Git sign in: with a credential helper, or over SSH.",
        )
    if is_remote(source):
        return KitAddress(copier_url(source), git_url(source), version)
    address, path = _local(source)
    if path.is_dir() and version is None:
        _refuse_changes(path, source)
    return KitAddress(address, str(path), version)


def fetch(address: KitAddress, folder: Path, remedies: Mapping[GitFailure, str] = _REMEDIES) -> KitSource:
    """Clone a kit and check out the version that was asked for.

    Args:
        address: The kit.
        folder: An empty folder.
        remedies: What to do where it cannot be read.

    Raises:
        KitUnusable: It cannot be read, or has no questions.
        UnknownVersion: It has no such version.
    """
    clone = ("clone", "--quiet", "--no-checkout", "--template=")
    try:
        if Path(address.url).is_dir():
            # A repository on this machine outlives the clone, so its objects are not copied.
            git(*ISOLATED, *clone, "--shared", "--", address.url, ".", cwd=folder)
        else:
            network_git(*ISOLATED, *clone, "--", address.url, ".", cwd=folder, env=_with_remote_helper())
    except GitFailed as error:
        raise explain(error, f"the kit {address.source}", remedies, KitUnusable) from error
    commit, version = address.known or _version(address, folder)
    git(*ISOLATED, "checkout", "--quiet", "--detach", commit, cwd=folder)
    return _checked_out(address.source, commit, version, folder)


def another_version(kit: KitSource, source: str, version: str, folder: Path) -> KitSource:
    """Check out a second version of a kit that is fetched.

    Args:
        source: The address that the service has recorded for it.
        version: The version that the service has recorded.
        folder: The folder to create.

    Raises:
        UnknownVersion: The kit has no such version.
    """
    commit = find_commit(kit.folder, KitAddress(source, "", version))
    git(*ISOLATED, "worktree", "add", "--quiet", "--detach", str(folder), commit, cwd=kit.folder)
    return _checked_out(source, commit, version, folder)


def _checked_out(source: str, commit: str, version: str, folder: Path) -> KitSource:
    if (folder / ".gitmodules").exists():
        submodules = ("submodule", "--quiet", "update", "--init", "--recursive")
        network_git(*ISOLATED, *submodules, cwd=folder, env=_with_remote_helper())
    return KitSource(source, commit, version, folder.resolve(), _modes(folder))


def embedded(version: str | None) -> KitAddress:
    """The kit that comes with the package."""
    from scaffold.kit.embedded import SOURCE, materialise

    kit = materialise()
    return KitAddress(SOURCE, str(kit.repository), version, None if version else (kit.commit, kit.version))


def _version(address: KitAddress, folder: Path) -> tuple[str, str]:
    commit = find_commit(folder, address)
    if not git("ls-tree", "--name-only", commit, "--", *_CONFIGURATIONS, cwd=folder):
        raise NotAKit(
            f"{address.source} is not a kit: it has no copier.yml.",
            "Name a repository with the kit's copier.yml at its top.",
        )
    return commit, git("describe", "--tags", "--always", commit, cwd=folder)


def _modes(folder: Path) -> dict[str, int]:
    entries = (entry.split("\t", 1) for entry in git("ls-files", "--stage", "-z", cwd=folder).split("\0") if entry)
    return {path: int(details.split(" ", 1)[0], 8) for details, path in entries}


def find_commit(folder: Path, address: KitAddress) -> str:
    """The commit of a version in a clone of a kit; that of the newest release where the address names none.

    Raises:
        UnknownVersion: There is no such version.
        KitUnusable: The kit has no commit.
    """
    source, version = address.source, address.version
    names = [version, f"refs/remotes/origin/{version}"] if version else [_newest_release(folder) or "HEAD"]
    for name in names:
        try:
            return git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}", cwd=folder)
        except GitFailed:
            continue
    if version is None:
        raise KitUnusable(
            f"The kit {source} is an empty repository.", "Commit the kit's files there, or name another kit."
        )
    raise UnknownVersion(source, version, git("tag", "--list", "v*", "--sort=-v:refname", cwd=folder).splitlines())


def _newest_release(folder: Path) -> str | None:
    """The tag that Copier takes by default."""
    from packaging.version import InvalidVersion, Version

    releases = []
    for tag in git("tag", "--list", cwd=folder).splitlines():
        try:
            number = Version(tag)
        except InvalidVersion:
            continue
        if not number.is_prerelease:
            releases.append((number, tag))
    return max(releases)[1] if releases else None


def _with_remote_helper() -> dict[str, str]:
    """Git's environment with git-remote-codecommit, which is installed beside this interpreter, on the PATH."""
    return {"PATH": os.pathsep.join((os.environ.get("PATH", os.defpath), sysconfig.get_path("scripts")))}


def _local(source: str) -> tuple[str, Path]:
    """The address that the service records for a kit on this machine, and its path."""
    try:
        path = Path(source).expanduser()
    except RuntimeError:  # no such user
        path = Path(source)
    if not path.exists():
        raise KitUnusable(
            f"There is no kit at {source}.", "Check the path, or give a Git URL or git+codecommit::REGION://REPOSITORY."
        )
    # `copier update` would look for a relative address below the service. A tilde is
    # valid on other machines too, so it is kept where Copier expands it.
    absolute = Path(os.path.abspath(path))  # noqa: PTH100  (resolve() would also follow links)
    address = source if source.startswith("~") and not source.endswith(".git") else str(absolute)
    if absolute.is_dir() and not _is_top_of_repository(absolute):
        if not any((absolute / name).is_file() for name in _CONFIGURATIONS):
            raise NotAKit(
                f"{source} is not a kit: it has no copier.yml.", "Name the folder with the kit's copier.yml at its top."
            )
        raise KitUnusable(
            f"{source} is not a Git repository of its own with commits, so no service could be updated from it.",
            f"Run `git init && git add --all && git commit` in {source}, then try again.",
        )
    return address, absolute


def _is_top_of_repository(path: Path) -> bool:
    # What may contain line breaks comes last. A bare repository has a file named HEAD.
    questions = (
        "--is-bare-repository",
        "--is-inside-work-tree",
        "HEAD^{commit}",
        "--show-prefix",
        "--absolute-git-dir",
    )
    try:
        bare, inside, _, rest = git("rev-parse", *questions, cwd=path).split("\n", 3)
    except GitFailed as error:
        if error.kind is GitFailure.DUBIOUS_OWNERSHIP:
            trust = f"If you trust it, run `git config --global --add safe.directory {shlex.quote(str(path))}`."
            raise explain(error, f"the kit {path}", {error.kind: trust}, KitUnusable) from error
        return False
    prefix, _, directory = rest.partition("\n")
    if bare == "true":
        # Copier recognises a bare repository by its name only.
        return path.suffix == ".git" and Path(directory).resolve() == path.resolve()
    return inside == "true" and not prefix


def _refuse_changes(path: Path, source: str) -> None:
    if not (path / ".git").exists():  # A bare repository has no work tree.
        return
    status = ("-c", "core.quotePath=false", "status", "--porcelain")
    if changes := git(*status, cwd=path, env={"GIT_OPTIONAL_LOCKS": "0"}):  # nothing is written to the kit
        raise UncommittedKit(
            f"The kit {source} has uncommitted changes ({changes.splitlines()[0][3:]}), which no update could find.",
            "Commit or stash them, or name a commit with --kit-version.",
        )
