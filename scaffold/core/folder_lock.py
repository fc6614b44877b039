"""Locks on temporary folders, which tell those in use from those that a killed process has left.

A process id would not: another host, or another container, may use the same folder.
"""

from __future__ import annotations

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
def locked(folder: Path) -> Iterator[None]:
    """Hold the lock of a new folder for a `with` block; without one, on some file systems, it is never abandoned."""
    unlocked = folder / f"{_LOCK}.new"
    with unlocked.open("w") as file:
        with suppress(OSError):
            if _lock(file):
                unlocked.rename(folder / _LOCK)  # Under this name the file is always locked already.
        yield


def is_abandoned(folder: Path) -> bool:
    """Whether the process that locked a folder has ended without deleting it."""
    try:
        with (folder / _LOCK).open("r+") as file:  # NFS locks only what is open for writing.
            return _lock(file)
    except OSError:  # The folder is in use, has no lock, or belongs to another user.
        return False


def _lock(file: IO[str]) -> bool:
    if fcntl is None:
        return False
    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    return True
