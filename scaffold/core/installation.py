"""How this package was installed, for remedies that install more of it."""

from __future__ import annotations

import sys
from pathlib import PurePath


def install_command(requirement: str, prefix: str = sys.prefix) -> str:
    """The command that installs a requirement where this package runs: with pipx, uv or pip.

    Args:
        prefix: The folder of the Python environment. pipx has them below `pipx/venvs`, uv below `uv/tools`.
    """
    folders = PurePath(prefix).parts
    if "pipx" in folders and "venvs" in folders:
        return f"pipx install --force '{requirement}'"
    if "uv" in folders and "tools" in folders:
        return f"uv tool install --force '{requirement}'"
    return f"pip install '{requirement}'"
