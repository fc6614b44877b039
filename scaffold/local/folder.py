"""The folder in which local AWS keeps everything; also those of runs that were killed before they removed theirs."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

try:
    import fcntl
except ImportError:  # Windows, where nothing tells whose process still lives
    fcntl = None  # type: ignore[assignment]

_PREFIX = "gitops-scaffold-local-"
# Locked for as long as the process lives that made the folder, however it ends.
_MARK = "lives"


@contextmanager
def own_folder() -> Iterator[Path]:
    """A folder for the time of a `with` block, once those are gone whose process is no more.

    Yields:
        The folder, which nobody else may read.
    """
    for found in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        if _abandoned(found):
            shutil.rmtree(found, ignore_errors=True)
    folder = Path(tempfile.mkdtemp(prefix=_PREFIX))
    try:
        starting = folder / "starting"
        with starting.open("w") as mark:
            _lock(mark)
            starting.rename(folder / _MARK)  # only now: nobody sees a mark that is not locked yet
            yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _abandoned(folder: Path) -> bool:
    try:
        with (folder / _MARK).open() as mark:
            return _lock(mark)
    except OSError:  # it lives, is only being made, or is another person's
        return False


def _lock(mark: IO[str]) -> bool:
    if fcntl is None:
        return False
    fcntl.flock(mark, fcntl.LOCK_EX | fcntl.LOCK_NB)
    return True
