"""The state directory of local AWS, and clean-up of those left by killed runs."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

try:
    import fcntl
except ImportError:  # Windows, where directories of killed runs are left alone
    fcntl = None  # type: ignore[assignment]

_PREFIX = "gitops-scaffold-local-"
# The system releases the lock when the process dies.
_LOCK = "lock"


@contextmanager
def own_folder() -> Iterator[Path]:
    """Create a directory for a `with` block, which only this user can read; delete those of killed runs."""
    for found in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        if _is_abandoned(found):
            shutil.rmtree(found, ignore_errors=True)
    folder = Path(tempfile.mkdtemp(prefix=_PREFIX))
    try:
        unlocked = folder / f"{_LOCK}.new"
        with unlocked.open("w") as file:
            _lock(file)
            unlocked.rename(folder / _LOCK)  # Under this name the file is always locked already.
            yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _is_abandoned(folder: Path) -> bool:
    try:
        with (folder / _LOCK).open() as file:
            return _lock(file)
    except OSError:  # The directory is in use, has no lock yet, or belongs to another user.
        return False


def _lock(file: IO[str]) -> bool:
    if fcntl is None:
        return False
    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    return True
