"""Files of a source, and no symbolic links: what one leads to here need not be what CodePipeline deploys."""

from __future__ import annotations

import os
from pathlib import Path

from aws_cli import Problem

ROOT = Path(__file__).resolve().parents[2]


def text(file: str, root: Path = ROOT) -> str:
    """The content of a file.

    Args:
        root: The folder of the source; that of this script without it.

    Raises:
        Problem: It is a symbolic link, or in a folder that is one.
        OSError, ValueError: It cannot be read, or is not UTF-8.
    """
    refuse_link(file, root)
    return (root / file).read_text("utf-8")


def exists(file: str, root: Path = ROOT) -> bool:
    """Whether a source has a file.

    Raises:
        Problem: It is a symbolic link, or in a folder that is one.
    """
    if not os.path.lexists(root / file):
        return False
    refuse_link(file, root)
    return True


def refuse_link(path: str, root: Path = ROOT) -> None:
    """Refuse a path that leads through a symbolic link.

    Raises:
        Problem: It does.
    """
    if os.path.realpath(root / path) != os.fspath(root / path):
        raise Problem(f"{path} is a symbolic link, or in a folder that is one; replace the link with what it leads to")
