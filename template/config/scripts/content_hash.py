#!/usr/bin/env python3
"""Print the version of the service: a hash over everything that decides what its image contains.

    content_hash.py app --architecture x86_64 --base NAME:TAG@sha256:...

These go in, and nothing else does:

- the bytes and the relative path of every file that Docker would take from app/, that is, of every file
  which .dockerignore does not exclude. Neither Git nor the state of the checkout matters: the pipeline's
  copy of the source has no .git. Times, owners and permissions do not matter either.
- the architecture, and the base image with its digest.

So the same source gives the same version on every machine, a commit that changes none of it gives no new
version, and whoever reads a version in production knows which content it is.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path

# Written into the hash, so that another way of hashing can never yield an old version.
FORMAT = "content-hash 1"
LENGTH = 16


def pattern_to_regex(pattern: str) -> re.Pattern[str]:
    """Translate one pattern of .dockerignore: `*`, `?`, `[...]` within a name, `**` across directories."""
    parts = re.split(r"(\*\*/|/\*\*|\*\*|\*|\?|\[[^]]+\])", pattern.strip("/"))
    meaning = {"**/": "(?:.*/)?", "/**": "/.*", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    return re.compile("".join(meaning.get(p, p if p.startswith("[") else re.escape(p)) for p in parts) + r"\Z")


class Ignore:
    """The rules of a .dockerignore file: the last one that matches a path, or a directory above it, decides."""

    def __init__(self, text: str) -> None:
        lines = [line.strip() for line in text.splitlines()]
        rules = [line for line in lines if line and not line.startswith("#")]
        self.rules = [(pattern_to_regex(rule.removeprefix("!")), not rule.startswith("!")) for rule in rules]

    def excludes(self, path: str) -> bool:
        """Say whether Docker would leave this path out."""
        parts = path.split("/")
        candidates = ["/".join(parts[: end + 1]) for end in range(len(parts))]
        excluded = False
        for regex, exclude in self.rules:
            if any(regex.match(candidate) for candidate in candidates):
                excluded = exclude
        return excluded


def context_files(root: Path) -> Iterator[tuple[str, Path]]:
    """Yield what Docker would take from a directory: relative paths with forward slashes, in byte order."""
    ignore_file = root / ".dockerignore"
    ignore = Ignore(ignore_file.read_text(encoding="utf-8") if ignore_file.is_file() else "")
    found = []
    for directory, directories, names in os.walk(root):
        links = [name for name in directories if Path(directory, name).is_symlink()]
        for name in names + links:
            path = Path(directory, name)
            relative = path.relative_to(root).as_posix()
            # These two decide about the image even where they are not copied into it.
            if relative in ("Dockerfile", ".dockerignore") or not ignore.excludes(relative):
                found.append((relative, path))
    yield from sorted(found, key=lambda item: item[0].encode())


def content_hash(root: Path, architecture: str, base: str) -> str:
    """Compute the version.

    Args:
        root: The directory that Docker builds from.
        architecture: The architecture that the image is for.
        base: The base image with its digest.
    """
    digest = hashlib.sha256(f"{FORMAT}\narchitecture {architecture}\nbase {base}\n".encode())
    for relative, path in context_files(root):
        # Each part has a fixed length, so no two trees can write the same bytes.
        kind, content = (b"l", os.fsencode(path.readlink())) if path.is_symlink() else (b"f", path.read_bytes())
        digest.update(kind + hashlib.sha256(relative.encode()).digest() + hashlib.sha256(content).digest())
    return digest.hexdigest()[:LENGTH]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("root", type=Path, help="the directory that Docker builds from")
    parser.add_argument("--architecture", required=True, choices=("x86_64", "arm64"))
    parser.add_argument("--base", required=True, help="the base image with its digest")
    arguments = parser.parse_args()
    if not arguments.root.is_dir():
        print(f"There is no directory {arguments.root} to hash.", file=sys.stderr)
        return 1
    print(content_hash(arguments.root, arguments.architecture, arguments.base))
    return 0


if __name__ == "__main__":
    sys.exit(main())
