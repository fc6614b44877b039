"""Temporary folders that are deleted although the user interrupts the deletion."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from scaffold.core.signals import deferred_signals


@contextmanager
def temporary_folder(prefix: str) -> Iterator[Path]:
    """A folder that is deleted when the block ends, or at the latest with the process."""
    folder = TemporaryDirectory(prefix=prefix, ignore_cleanup_errors=True)
    try:
        yield Path(folder.name)
    finally:
        with deferred_signals():
            folder.cleanup()
