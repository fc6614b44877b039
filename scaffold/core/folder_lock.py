"""Locks on temporary folders, which tell those in use from those that a killed process has left.

A process id would not: another host, or another container, may use the same folder.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

try:
    import fcntl
except ImportError:  # Windows, where folders of killed processes are left alone
    fcntl = None  # type: ignore[assignment]

# The system releases the lock when the process dies.
_LOCK = "lock"


@contextmanager
def locked(folder: Path) -> Iterator[IO[str]]:
    """Hold the lock of a new folder for a `with` block; without one, on some file systems, it is never abandoned.

    Yields:
        The locked file. A child process that it is passed on to holds the lock too.
    """
    unlocked = folder / f"{_LOCK}.new"
    with unlocked.open("w") as file:
        with suppress(OSError):
            if fcntl is not None:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                unlocked.rename(folder / _LOCK)  # Under this name the file is always locked already.
        yield file


def is_abandoned(folder: Path) -> bool:
    """Whether the process that locked a folder has ended without deleting it."""
    try:
        with open_lock(folder) as file:
            return fcntl is not None and not is_held(file)
    except OSError:  # The folder has no lock, or belongs to another user.
        return False


def open_lock(folder: Path) -> IO[str]:
    """The lock of a folder, for `is_held`."""
    return (folder / _LOCK).open("r+")  # NFS locks only what is open for writing.


def is_held(lock: IO[str]) -> bool:
    """Whether another process holds a lock."""
    try:
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    fcntl.flock(lock, fcntl.LOCK_UN)
    return False


@contextmanager
def one_at_a_time(folder: Path) -> Iterator[None]:
    """Wait until no other process is in such a block with the same folder, which may be deleted in it.

    Raises:
        FileNotFoundError: There is no such folder, or another process has deleted it.
        OSError: It is a link, no folder, or cannot be locked.
    """
    opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        fcntl.flock(opened, fcntl.LOCK_EX)
        if not os.path.samestat(os.fstat(opened), folder.lstat()):
            raise FileNotFoundError(str(folder))
        yield
    finally:
        os.close(opened)
