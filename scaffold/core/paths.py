"""Paths in commands that can be pasted into a shell, and where this program keeps what outlives a command."""

from __future__ import annotations

import os
import shlex
import tempfile
from pathlib import Path


def enter(directory: Path | str) -> str:
    """The command that changes from the current directory to an absolute path, relative where that is shorter."""
    relative = os.path.relpath(directory)
    return f"cd {shlex.quote(str(directory) if relative.startswith('..') else relative)}"


def state_directory() -> Path:
    """Where logs and kept answers are; it need not exist."""
    try:
        base = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    except RuntimeError:  # no home directory can be determined
        base = tempfile.gettempdir()
    return Path(base) / "gitops-scaffold"
