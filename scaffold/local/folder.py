"""The state directory of local AWS, and clean-up of those left by killed runs."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from scaffold.core.folder_lock import is_abandoned, locked

#: The folder in the state directory with the storage of a container engine.
CONTAINERS = "containers"

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
    """Delete a state directory, as far as that is possible, with the containers that a killed server has left."""
    storage = folder / CONTAINERS
    with suppress(OSError):
        # The settings in it name programs to start, so another user must not be able to replace it.
        if _is_own(folder) and _is_own(storage):
            package_parent = str(Path(__file__).resolve().parents[2])
            command = [sys.executable, "-P", "-m", "scaffold.engine.containers.leftovers", str(storage)]
            subprocess.run(command, env={**os.environ, "PYTHONPATH": package_parent}, check=False)
    shutil.rmtree(folder, ignore_errors=True)


def _is_own(folder: Path) -> bool:
    """Whether it is a folder of this user's, and no link."""
    found = folder.lstat()
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid()
