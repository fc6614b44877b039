"""The build context: the files of a directory that .dockerignore does not exclude."""

from __future__ import annotations

import os
import posixpath
import re
from pathlib import Path

from scaffold.engine.images.needs_engine import NeedsEngine

_TOKEN = re.compile(r"(\*\*/?)|(\*)|(\?)|\\(.)|([^*?\\[]+)", re.DOTALL)


class Context:
    """The files that a build may copy.

    Args:
        root: The directory.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        names = ("Dockerfile.dockerignore", ".dockerignore")
        ignore = next((root / name for name in names if (root / name).is_file()), None)
        self._rules = _rules(ignore.read_text("utf-8-sig", "replace") if ignore else "")
        self.files = self._find()

    def _find(self) -> dict[str, Path]:
        """Files and links by their relative paths, sorted."""
        found = {}
        for directory, directories, names in os.walk(self._root):
            links = [name for name in directories if Path(directory, name).is_symlink()]
            for name in [*names, *links]:
                path = Path(directory, name)
                relative = path.relative_to(self._root).as_posix()
                if not self._excludes(relative):
                    found[relative] = path
        return dict(sorted(found.items()))

    def _excludes(self, path: str) -> bool:
        names = path.split("/")
        prefixes = ["/".join(names[:end]) for end in range(1, len(names) + 1)]
        excluded = False
        for expression, exception in self._rules:
            if any(expression.fullmatch(prefix) for prefix in prefixes):
                excluded = not exception
        return excluded


def _rules(text: str) -> list[tuple[re.Pattern[str], bool]]:
    rules = []
    for line in text.splitlines():
        pattern = line.strip()
        if line.startswith("#") or not pattern:
            continue
        exception = pattern.startswith("!")
        pattern = posixpath.normpath(pattern.removeprefix("!").strip()).lstrip("/")
        rules.append((pattern_expression(pattern), exception))
    return rules


def pattern_expression(pattern: str) -> re.Pattern[str]:
    """A pattern of .dockerignore or COPY, for whole paths.

    Raises:
        NeedsEngine: It has a character class.
    """
    parts, position = [], 0
    while position < len(pattern):
        token = _TOKEN.match(pattern, position)
        if token is None:
            raise NeedsEngine(f"The pattern {pattern}")
        position = token.end()
        many, star, one, escaped, literal = token.groups()
        if many:
            parts.append(".*" if position == len(pattern) else "(?:.*/)?")
        else:
            parts.append("[^/]*" if star else "[^/]" if one else re.escape(escaped or literal))
    return re.compile("".join(parts), re.DOTALL)
