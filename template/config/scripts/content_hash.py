#!/usr/bin/env python3
"""Print the version of the service: a hash of everything that determines the content of its image.

    content_hash.py app --architecture x86_64 --base NAME:TAG@sha256:... [--base ...]

The hash covers

- the build context app/ as Docker sends it: path, type, permissions and content of every file, directory and symbolic
  link that .dockerignore does not exclude; not their times and owners,
- the architecture, and each base image with its digest.

The same source has the same version on every machine, a commit that changes none of the above has the version
of the commit before, and the version in production identifies its content. Git is not used: the source artifact
of the pipeline has no .git.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import posixpath
import re
import stat
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

# Part of the hash, so that a future format cannot produce the same versions.
FORMAT = "content-hash 2"
LENGTH = 16

# They determine the image even if they are excluded from the context.
DOCKERFILE = "Dockerfile"
# The first one that exists applies.
IGNORE_FILES = ("Dockerfile.dockerignore", ".dockerignore")

# What Docker removes around a pattern: the white space of Unicode.
SPACE = "\t\n\v\f\r \x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000" + "".join(map(chr, range(0x2000, 0x200B)))


class NotUnderstood(Exception):
    """A pattern that Docker refuses, or that it reads in a way of its own."""


class Rule(NamedTuple):
    """A pattern of .dockerignore; an exception begins with `!` and includes what it matches."""

    pattern: re.Pattern[str]
    exception: bool


def clean(path: str) -> str:
    """The shortest path with the same meaning, as Go's filepath.Clean gives it."""
    return re.sub(r"\A//", "/", posixpath.normpath(path))


def read_rules(text: str) -> list[Rule]:
    """Read .dockerignore.

    Raises:
        NotUnderstood: For one of its patterns.
    """
    rules = []
    for line in text.removeprefix("\ufeff").split("\n"):
        pattern = line.strip(SPACE)
        # Only a # at the start of the line begins a comment.
        if line.startswith("#") or not pattern:
            continue
        mark = "!" if pattern.startswith("!") else ""
        pattern = pattern.removeprefix("!").strip(SPACE)
        pattern = clean(pattern) if pattern else ""
        if len(pattern) > 1:
            pattern = pattern.removeprefix("/")
        # Docker cleans twice, and looks for the exclamation mark after that only.
        pattern = clean((mark + pattern).strip(SPACE))
        if pattern == "!":
            raise NotUnderstood(line)
        rules.append(Rule(translate(pattern.removeprefix("!")), pattern.startswith("!")))
    return rules


def translate(pattern: str) -> re.Pattern[str]:
    """Translate a pattern into a regular expression for whole paths, as Docker does.

    Raises:
        NotUnderstood: Docker has no meaning for it, or a meaning that depends on its regular expressions.
    """
    special = re.compile(r"[][*?\\]")
    # With ** at one end and nothing else that is special, Docker compares the beginning or the end of the path.
    if pattern.startswith("**") and not special.search(pattern[2:]):
        rest = pattern[2:]
        any_directory = r"(?:.*/)?" if rest.startswith("/") else ".*"
        return re.compile(rf"{any_directory}{re.escape(rest.removeprefix('/'))}\Z", re.DOTALL)
    if pattern.endswith("**") and not special.search(pattern[:-2]):
        return re.compile(rf"{re.escape(pattern[:-2])}.*\Z", re.DOTALL)
    if not special.search(pattern):
        return re.compile(rf"{re.escape(pattern)}\Z")
    return re.compile("".join(parts(pattern)) + r"\Z")


TOKEN = re.compile(
    r"""(?P<many>\*\*/?)
    |(?P<star>\*)
    |(?P<one>\?)
    |\[(?P<negated>\^?)(?P<members>(?:[^][\\*?^/-](?:-[^][\\*?^/-])?)+)\]
    |\\(?P<escaped>[^A-Za-z0-9])
    |(?P<literal>[^\\[*?^|{\x00\ufeff\ufffd\ud800-\udfff]|\{(?![0-9]))""",
    re.VERBOSE | re.DOTALL,
)


def parts(pattern: str) -> Iterator[str]:
    """The regular expressions of a pattern's parts."""
    position = 0
    while position < len(pattern):
        token = TOKEN.match(pattern, position)
        if token is None:
            raise NotUnderstood(pattern)
        position = token.end()
        if token["many"]:
            yield ".*" if position == len(pattern) else "(?:.*/)?"
        elif token["star"]:
            yield "[^/]*"
        elif token["one"]:
            yield "[^/]"
        elif token["members"]:
            yield f"[{token['negated']}{members(token['members'])}]"
        else:
            yield re.escape(token["escaped"] or token["literal"])


def members(text: str) -> str:
    """The members of a character class, with their ranges."""
    found = re.findall(r"(.)(?:-(.))?", text, re.DOTALL)
    if any(last and last < first for first, last in found):
        raise NotUnderstood(text)
    return "".join(re.escape(first) + (f"-{re.escape(last)}" if last else "") for first, last in found)


class Ignore:
    """The rules of a .dockerignore file. With a pattern that is not understood, it excludes nothing."""

    def __init__(self, text: str) -> None:
        try:
            self.rules = read_rules(text)
        except NotUnderstood:
            self.rules = []

    def excludes(self, path: str) -> bool:
        """Whether Docker excludes this path from the build context.

        The last rule that matches the path or one of its parents applies. As in Docker, a rule that would change
        nothing for a directory is not compared with it, so what is below does not inherit a match.
        """
        names = path.split("/")
        matched = [False] * len(self.rules)
        excluded = False
        for end in range(1, len(names) + 1):
            excluded = False
            for index, rule in enumerate(self.rules):
                if not matched[index] and rule.exception == excluded:
                    matched[index] = bool(rule.pattern.match("/".join(names[:end])))
                if matched[index]:
                    excluded = not rule.exception
        return excluded


def context(root: Path) -> Iterator[tuple[str, Path]]:
    """Yield what Docker sends of a build context, in byte order: relative paths with forward slashes, and the files."""
    ignore_file = next((root / name for name in IGNORE_FILES if (root / name).is_file()), None)
    ignore = Ignore(ignore_file.read_bytes().decode("utf-8", "surrogateescape") if ignore_file else "")
    found: set[str] = set()
    for directory, directories, names in os.walk(root):
        for name in directories + names:
            relative = Path(directory, name).relative_to(root).as_posix()
            if relative in (DOCKERFILE, *IGNORE_FILES) or not ignore.excludes(relative):
                # An excluded directory is sent for what it has that is not excluded.
                found.update(parent.as_posix() for parent in [Path(relative), *Path(relative).parents][:-1])
    yield from ((relative, root / relative) for relative in sorted(found, key=os.fsencode))


def entry(path: Path) -> bytes:
    """The type, permissions and content of a file; of a fixed length."""
    information = path.lstat()
    mode = information.st_mode
    content = b""
    if stat.S_ISLNK(mode):
        # Docker sends the link, and the permissions of a link mean nothing.
        mode, content = stat.S_IFLNK, os.fsencode(path.readlink())
    elif stat.S_ISREG(mode):
        content = path.read_bytes()
    return mode.to_bytes(4, "big") + hashlib.sha256(content).digest()


def content_hash(root: Path, architecture: str, *bases: str) -> str:
    """Compute the version.

    Args:
        root: The build context.
        architecture: The CPU architecture of the image.
        bases: The base images with their digests.
    """
    head = [FORMAT, f"architecture {architecture}", *(f"base {base}" for base in sorted(set(bases)))]
    digest = hashlib.sha256("".join(f"{line}\n" for line in head).encode())
    for relative, path in context(root):
        # Each part has a fixed length, so two different trees never produce the same input.
        digest.update(hashlib.sha256(os.fsencode(relative)).digest() + entry(path))
    return digest.hexdigest()[:LENGTH]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("root", type=Path, help="the build context")
    parser.add_argument("--architecture", required=True, choices=("x86_64", "arm64"))
    parser.add_argument("--base", action="append", default=[], help="a base image with its digest; repeatable")
    arguments = parser.parse_args()
    if not arguments.root.is_dir():
        print(f"{arguments.root} is not a directory.", file=sys.stderr)
        return 1
    print(content_hash(arguments.root, arguments.architecture, *arguments.base))
    return 0


if __name__ == "__main__":
    sys.exit(main())
