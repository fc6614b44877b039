#!/usr/bin/env python3
"""Print the version of the service: a hash of everything that determines the content of its image.

    content_hash.py app --architecture x86_64 --base NAME:TAG@sha256:...

The hash covers

- the content and the relative path of every file of the build context app/, that is, of every file that
  .dockerignore does not exclude; not its times, owner and permissions,
- the architecture, and the base image with its digest.

The same source has the same version on every machine, a commit that changes none of the above has the version
of the commit before, and the version in production identifies its content. Git is not used: the source artifact
of the pipeline has no .git.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path

# Part of the hash, so that a future format cannot produce the same versions.
FORMAT = "content-hash 1"
LENGTH = 16


def pattern_to_regex(pattern: str) -> re.Pattern[str]:
    """Translate a .dockerignore pattern: `*`, `?` and `[...]` match within a name, `**` across directories."""
    parts = re.split(r"(\*\*/|/\*\*|\*\*|\*|\?|\[[^]]+\])", pattern.strip("/"))
    meaning = {"**/": "(?:.*/)?", "/**": "/.*", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    return re.compile("".join(meaning.get(p, p if p.startswith("[") else re.escape(p)) for p in parts) + r"\Z")


class Ignore:
    """The rules of a .dockerignore file: the last rule that matches a path or one of its parents applies."""

    def __init__(self, text: str) -> None:
        lines = [line.strip() for line in text.splitlines()]
        rules = [line for line in lines if line and not line.startswith("#")]
        self.rules = [(pattern_to_regex(rule.removeprefix("!")), not rule.startswith("!")) for rule in rules]

    def excludes(self, path: str) -> bool:
        """Whether Docker excludes this path from the build context."""
        parts = path.split("/")
        candidates = ["/".join(parts[: end + 1]) for end in range(len(parts))]
        excluded = False
        for regex, exclude in self.rules:
            if any(regex.match(candidate) for candidate in candidates):
                excluded = exclude
        return excluded


def context_files(root: Path) -> Iterator[tuple[str, Path]]:
    """Yield the files of a build context by their relative paths (with forward slashes), in byte order."""
    ignore_file = root / ".dockerignore"
    ignore = Ignore(ignore_file.read_text(encoding="utf-8") if ignore_file.is_file() else "")
    found = []
    for directory, directories, names in os.walk(root):
        links = [name for name in directories if Path(directory, name).is_symlink()]
        for name in names + links:
            path = Path(directory, name)
            relative = path.relative_to(root).as_posix()
            # These two determine the image even if they are excluded from the context.
            if relative in ("Dockerfile", ".dockerignore") or not ignore.excludes(relative):
                found.append((relative, path))
    yield from sorted(found, key=lambda item: item[0].encode())


def content_hash(root: Path, architecture: str, base: str) -> str:
    """Compute the version.

    Args:
        root: The build context.
        architecture: The CPU architecture of the image.
        base: The base image with its digest.
    """
    digest = hashlib.sha256(f"{FORMAT}\narchitecture {architecture}\nbase {base}\n".encode())
    for relative, path in context_files(root):
        # Each part has a fixed length, so two different trees never produce the same input.
        kind, content = (b"l", os.fsencode(path.readlink())) if path.is_symlink() else (b"f", path.read_bytes())
        digest.update(kind + hashlib.sha256(relative.encode()).digest() + hashlib.sha256(content).digest())
    return digest.hexdigest()[:LENGTH]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("root", type=Path, help="the build context")
    parser.add_argument("--architecture", required=True, choices=("x86_64", "arm64"))
    parser.add_argument("--base", required=True, help="the base image with its digest")
    arguments = parser.parse_args()
    if not arguments.root.is_dir():
        print(f"{arguments.root} is not a directory.", file=sys.stderr)
        return 1
    print(content_hash(arguments.root, arguments.architecture, arguments.base))
    return 0


if __name__ == "__main__":
    sys.exit(main())
