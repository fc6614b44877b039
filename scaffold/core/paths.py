"""Paths in commands that can be pasted into a shell."""

from __future__ import annotations

import os
import shlex
from pathlib import Path


def enter(directory: Path | str) -> str:
    """The command that changes from the current directory to an absolute path, relative where that is shorter."""
    relative = os.path.relpath(directory)
    return f"cd {shlex.quote(str(directory) if relative.startswith('..') else relative)}"
