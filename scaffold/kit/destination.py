"""The folder of a new service: refused, or filled completely or not at all."""

from __future__ import annotations

import os
import re
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from scaffold.core.errors import ScaffoldError
from scaffold.core.folder_lock import is_abandoned, locked
from scaffold.core.git import has_no_commit, settings
from scaffold.core.signals import deferred_signals

_HIDDEN = ".scaffold-"
_GIT = ".git"


def check_destination(destination: Path) -> None:
    """Refuse a folder in which a service cannot be created.

    Raises:
        ScaffoldError: It is not empty, or cannot be written.
    """
    try:
        if destination.is_symlink() and not destination.exists():
            raise _occupied(destination, "is a broken symbolic link")
        if destination.exists():
            if not destination.is_dir():
                raise _occupied(destination, "exists and is not a folder")
            entries = list(destination.iterdir())
            others = [entry for entry in entries if not _is_left_over(entry)]
            if not _may_hold(destination, others):
                if len(others) < len(entries):
                    raise ScaffoldError(
                        f"{destination} has a part of a service, left by a `scaffold new` that was killed.",
                        "Empty the folder, then run the same command again.",
                    )
                raise _occupied(destination, "exists and is not empty")
        place = next(path for path in (destination, *destination.parents) if path.exists())
    except OSError as error:
        raise not_writable(destination, error) from error
    if not place.is_dir():
        raise _occupied(destination, f"cannot be created: {place} is not a folder")
    if not os.access(place, os.W_OK | os.X_OK):
        raise not_writable(destination, PermissionError(13, "Permission denied"))


def is_empty_clone(folder: Path) -> bool:
    """Whether a folder has a Git repository of its own without a commit, in which a service can begin its history."""
    repository = folder / _GIT
    if repository.is_symlink() or not repository.is_dir() or not has_no_commit(folder):
        return False
    # CodeCommit has no repositories with other hashes.
    return settings(folder).get("extensions.objectformat", "sha1") == "sha1"


def _may_hold(destination: Path, entries: list[Path]) -> bool:
    """Whether a service may be written into a folder with these entries: none, or the repository of an empty clone."""
    return not entries or (entries == [destination / _GIT] and is_empty_clone(destination))


def copy_repository(clone: Path, folder: Path) -> bool:
    """Give a folder the repository of an empty clone, with its remotes and settings; return whether it is one.

    The clone stays as it is until the folder, complete and committed, takes its place.
    """
    if found := is_empty_clone(clone):
        shutil.copytree(clone / _GIT, folder / _GIT, symlinks=True)
    return found


@contextmanager
def workspace(destination: Path) -> Iterator[Path]:
    """A folder to generate the service in. It is renamed to the destination, or deleted if the block fails.

    Args:
        destination: The service's folder: absent, empty, or an empty clone, whose repository gives way to the new one.

    Yields:
        The folder, beside the destination and of the same name. It does not exist yet.

    Raises:
        ScaffoldError: The destination cannot be written.
    """
    existed = destination.exists()
    parent = destination if existed else destination.parent
    created = [path for path in (parent, *parent.parents) if not path.exists()]
    hidden = parent / f"{_HIDDEN}{secrets.token_hex(8)}"
    work = hidden / (destination.name or "service")
    succeeded = False
    try:  # before the first folder is created: an interruption may come at any point
        hidden.mkdir(parents=True)
        with locked(hidden):
            for path in parent.glob(f"{_HIDDEN}*"):
                if _is_left_over(path):
                    shutil.rmtree(path, ignore_errors=True)
            yield work
            with deferred_signals():  # in an existing folder it takes a rename for each entry
                if existed:
                    others = [entry for entry in destination.iterdir() if entry != hidden]
                    if not _may_hold(destination, others):
                        raise _occupied(destination, "is no longer empty")
                    # The repository last: until then, the clone is one.
                    for entry in sorted(work.iterdir(), key=lambda path: path.name == _GIT):
                        if others and entry.name == _GIT:
                            (destination / _GIT).rename(hidden / _GIT)
                        entry.rename(destination / entry.name)
                else:
                    work.rename(destination)
                succeeded = True
    except OSError as error:
        raise not_writable(destination, error) from error
    finally:
        with deferred_signals():
            shutil.rmtree(hidden, ignore_errors=True)
            for path in () if succeeded else created:
                with suppress(OSError):
                    path.rmdir()


def _is_left_over(path: Path) -> bool:
    """Whether it is the hidden folder of a process that has ended without deleting it."""
    named = re.fullmatch(rf"{re.escape(_HIDDEN)}[0-9a-f]{{16}}", path.name)
    return named is not None and not path.is_symlink() and is_abandoned(path)


def _occupied(destination: Path, what: str) -> ScaffoldError:
    return ScaffoldError(f"{destination} {what}.", "Name a folder that does not exist yet: `scaffold new FOLDER`.")


def not_writable(destination: Path | str, error: OSError) -> ScaffoldError:
    """The error about a folder that cannot be written."""
    reason = (error.strerror or str(error)).rstrip(".")
    return ScaffoldError(
        f"{destination} cannot be written: {reason}.", "Name a folder that you may write to: `scaffold new FOLDER`."
    )
