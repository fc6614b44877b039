"""Files as an indented tree."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import PurePosixPath

from scaffold.console.titles import count

_LEVELS = 2
_WIDTH = 24


def tree(files: Sequence[str]) -> list[str]:
    """The lines of a tree of relative paths: the files at the top, and two levels of folders, each with its files."""
    paths = sorted(map(PurePosixPath, files), key=lambda path: path.parts)
    folders = Counter(folder for path in paths for folder in path.parents if 0 < len(folder.parts) <= _LEVELS)
    shown = {*folders, *(path for path in paths if len(path.parts) == 1)}
    lines = []
    for path in sorted(shown, key=lambda path: path.parts):
        indent = "  " * len(path.parts)
        name = f"{indent}{path.name}/"
        lines.append(f"{name:<{_WIDTH}}  {count(folders[path], 'file')}" if path in folders else f"{indent}{path.name}")
    return lines
