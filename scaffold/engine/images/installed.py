"""What `npm ci` has installed, kept for other builds: the same files on disk, since nothing writes into them."""

from __future__ import annotations

import os
import shutil
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Installed:
    """The place of one set of packages.

    Args:
        cache: The folder of npm's cache.
        key: What the result of the installation depends on, as a digest.
    """

    cache: Path
    key: str

    @property
    def folder(self) -> Path:
        """Where the packages are, once they are kept."""
        return self.cache / "installed" / self.key

    def restore(self, modules: Path) -> bool:
        """Put the packages into a folder, and say whether they were kept."""
        if not self.folder.exists():
            return False
        shutil.rmtree(modules, ignore_errors=True)
        shutil.copytree(self.folder, modules, symlinks=True, copy_function=os.link)
        return True

    def keep(self, modules: Path) -> None:
        """Keep the packages of a folder."""
        self.folder.parent.mkdir(exist_ok=True)
        with tempfile.TemporaryDirectory(dir=self.folder.parent) as folder, suppress(OSError):  # Another was faster.
            shutil.copytree(modules, f"{folder}/node_modules", symlinks=True, copy_function=os.link)
            Path(folder, "node_modules").rename(self.folder)
