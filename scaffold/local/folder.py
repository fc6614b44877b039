"""The state directory of local AWS, and clean-up of those left by killed runs."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from scaffold.core.folder_lock import is_abandoned, locked

_PREFIX = "gitops-scaffold-local-"


@contextmanager
def own_folder() -> Iterator[Path]:
    """Create a directory for a `with` block, which only this user can read; delete those of killed runs."""
    folder = new_folder()
    try:
        with locked(folder):
            yield folder
    finally:
        delete_folder(folder)


def new_folder() -> Path:
    """Create a directory, which only this user can read and which is not locked; delete those of killed runs."""
    delete_abandoned()
    return Path(tempfile.mkdtemp(prefix=_PREFIX))


def delete_abandoned() -> None:
    """Delete the directories of killed runs."""
    for found in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        if is_abandoned(found):
            delete_folder(found)


def delete_folder(folder: Path) -> None:
    """Delete a state directory, as far as that is possible."""
    shutil.rmtree(folder, ignore_errors=True)
