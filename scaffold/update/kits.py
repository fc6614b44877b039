"""The two versions of a kit that an update compares: the recorded one and the one to update to."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from scaffold.core.errors import ScaffoldError, UsageError
from scaffold.core.git import git
from scaffold.core.git_failures import GitFailed, GitFailure
from scaffold.kit.embedded import SOURCE
from scaffold.kit.rendering import UPGRADE, Kit, fetched
from scaffold.kit.seen import remember
from scaffold.kit.source import (
    KitAddress,
    KitSource,
    KitUnusable,
    NotAKit,
    UncommittedKit,
    UnknownVersion,
    another_version,
    embedded,
    fetch,
    resolve,
)
from scaffold.kit.urls import has_credentials, only_here
from scaffold.service.service import ANSWERS_FILE
from scaffold.update.recorded import Recorded

if TYPE_CHECKING:
    from packaging.version import Version

CURRENT = "current"
_ADDRESS = f"`_src_path` in {ANSWERS_FILE}"
_UNREADABLE = {
    GitFailure.NETWORK: f"Check the connection and {_ADDRESS}, then run the same command again.",
    GitFailure.DENIED: "Sign in with an account that may read it, then run the same command again.",
    GitFailure.OTHER: f"Check {_ADDRESS}, for example with `git ls-remote`.",
}
# `git describe`: the tag, the number of commits since, the commit.
_DESCRIBED = re.compile(r"(?P<tag>.+)-(?P<count>\d+)-g[0-9a-f]+")


@dataclass(frozen=True)
class Versions:
    """A kit at two commits.

    Attributes:
        old: The kit from which the service was generated or updated last.
        new: The kit to update to; the same as `old` if only answers change.
    """

    old: Kit
    new: Kit


@contextmanager
def open_versions(recorded: Recorded, to: str | None = None) -> Iterator[Versions]:
    """Fetch both versions of a service's kit; the clone is deleted when the block ends.

    Args:
        to: A tag or commit, or `current` for the recorded one; None for the newest.

    Raises:
        KitUnusable: The kit is not reachable from this machine, or lacks the recorded version.
        UsageError: The kit lacks the version to update to.
        ScaffoldError: The version to update to is older than the recorded one.
    """
    with _own_remedies():
        address = _address(recorded, to)
    with fetched(address, lambda folder: _fetch(recorded, address, folder)) as (old, new):
        yield Versions(old, old if old.source == new.source else new)


def _address(recorded: Recorded, to: str | None) -> KitAddress:
    if to is not None and (not to or to.startswith("-") or len(to.split()) != 1):
        raise UsageError(
            f"--to {to!r} names no version of the kit.", "Name a tag or commit, for example --to v1.2.0, or `current`."
        )
    version = recorded.version if to == CURRENT else to
    if is_embedded(recorded.source):
        return embedded(version)
    source = recorded.source
    if has_credentials(source):
        raise UsageError(
            f"The kit's address in {ANSWERS_FILE} has credentials, which Git shows to all who may read the service.",
            f"Delete them from {_ADDRESS}, revoke them, commit, and let Git sign in: with a helper, or over SSH.",
        )
    if only_here(source):
        path = recorded.root / Path(source).expanduser()
        if not path.exists():
            raise KitUnusable(
                f"{recorded.name} was generated from the kit {source}, which does not exist on this machine.",
                f"Push that kit to a Git repository that its team can read, set `_src_path` in {ANSWERS_FILE} to the "
                "repository's URL, commit, and run the same command again.",
            )
        source = source if Path(source).expanduser().is_absolute() else str(path.resolve())
    return replace(resolve(source, version), source=source)


@contextmanager
def _own_remedies() -> Iterator[None]:
    """Let remedies name the options of this command, and the recorded address."""
    try:
        yield
    except UnknownVersion as error:
        raise error.with_remedy(f"{error.advice}, or leave --to out for the newest.") from error
    except UncommittedKit as error:
        raise error.with_remedy("Commit or stash them there, or name a commit with --to.") from error
    except NotAKit as error:
        raise error.with_remedy(
            f"Set {_ADDRESS} to the kit's repository, commit, and run the same command again."
        ) from error


def is_embedded(source: str) -> bool:
    """Whether it is the embedded kit, in this or in another user's home."""
    path, own = Path(source).expanduser(), Path(SOURCE).expanduser()
    elsewhere = path.is_absolute() and path.as_posix().endswith(SOURCE.removeprefix("~")) and not path.exists()
    return path == own or elsewhere


def _fetch(recorded: Recorded, address: KitAddress, temporary: Path) -> tuple[KitSource, KitSource]:
    clone = temporary / "new"
    clone.mkdir()
    with _own_remedies():
        new = fetch(address, clone, _UNREADABLE)
    if address.version is None and not is_embedded(recorded.source):
        remember(recorded.source, new.version)
    if new.version == recorded.version and new.source == recorded.source:
        return new, new
    try:
        old = another_version(new, recorded.source, recorded.version, temporary / "old")
    except UnknownVersion as error:
        lacks = f"The kit {address.source} has no version {recorded.version}, from which {recorded.name} was generated."
        push = f"Push that tag or commit to {address.source}, then run the same command again."
        raise KitUnusable(lacks, UPGRADE if address.source == SOURCE else push) from error
    if _is_older(new, old):
        unasked = address.source == SOURCE and address.known
        raise ScaffoldError(
            f"{recorded.name} has version {old.version} of the kit, which is newer than {new.version}.",
            UPGRADE
            if unasked
            else "Name a newer version with --to. To go back to an older one, revert the commit of the update.",
        )
    return old, new


def _is_older(new: KitSource, old: KitSource) -> bool:
    if new.commit == old.commit:
        return False
    numbers = number(new.version), number(old.version)
    if numbers[0] and numbers[1] and numbers[0] != numbers[1]:
        return numbers[0] < numbers[1]
    try:
        git("merge-base", "--is-ancestor", new.commit, old.commit, cwd=new.folder)
    except GitFailed:
        return False
    return True


def number(version: str) -> Version | None:
    """The number of a tag, or of what `git describe` says; None for a version without one."""
    from packaging.version import InvalidVersion, Version

    described = _DESCRIBED.fullmatch(version)
    try:
        return Version(f"{described['tag']}.post{described['count']}" if described else version)
    except InvalidVersion:
        return None
