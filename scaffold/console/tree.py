"""Files as an indented tree."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path


def tree(files: Sequence[str]) -> list[str]:
    """The lines of a tree of relative paths; folders end with a slash."""
    lines: list[str] = []
    shown: set[Path] = set()
    for file in sorted(files, key=lambda name: Path(name).parts):
        parents = list(reversed(Path(file).parents))[1:]
        for folder in parents:
            if folder not in shown:
                shown.add(folder)
                lines.append(f"{'  ' * len(folder.parts)}{folder.name}/")
        lines.append(f"{'  ' * (len(parents) + 1)}{Path(file).name}")
    return lines
