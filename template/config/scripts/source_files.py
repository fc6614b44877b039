"""Files of this source, and no symbolic links: what one leads to here need not be what CodePipeline deploys."""

from __future__ import annotations

import os
from pathlib import Path

from aws_cli import Problem

ROOT = Path(__file__).resolve().parents[2]


def text(file: str) -> str:
    """The content of a file.

    Raises:
        Problem: It is a symbolic link, or in a folder that is one.
        OSError, ValueError: It cannot be read, or is not UTF-8.
    """
    refuse_link(file)
    return (ROOT / file).read_text("utf-8")


def exists(file: str) -> bool:
    """Whether this source has a file.

    Raises:
        Problem: It is a symbolic link, or in a folder that is one.
    """
    if not os.path.lexists(ROOT / file):
        return False
    refuse_link(file)
    return True


def refuse_link(path: str) -> None:
    """Refuse a path that leads through a symbolic link.

    Raises:
        Problem: It does.
    """
    if os.path.realpath(ROOT / path) != os.fspath(ROOT / path):
        raise Problem(f"{path} is a symbolic link, or in a folder that is one; replace the link with what it leads to")
