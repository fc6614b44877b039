#!/usr/bin/env python3
"""Print what a Dockerfile names, one name a line.

    parse_dockerfile.py stages FILE            its stages
    parse_dockerfile.py images FILE            the images that it builds on or copies from
    parse_dockerfile.py base FILE              the image that the released stage builds on; nothing if it is `scratch`

Images are those of FROM, COPY --from and RUN --mount=from, with the build arguments filled in; stages and `scratch` are
not images. The released stage is `service`, or the last one if no stage has this name.
"""

from __future__ import annotations

import argparse
import re
import shlex
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

VARIABLE = re.compile(r"\$(?:(\w+)|\{(\w+)(?:(:?[-+])([^{}]*))?\})")
HEREDOC = re.compile(r"\d*<<-?([\"']?)(\w[\w.]*)\1\Z")


class Unclear(Exception):
    """An image that cannot be told from the file."""


def instructions(text: str) -> Iterator[tuple[str, str]]:
    """Yield each instruction in upper case with its arguments, without comments, continued lines and here-documents."""
    directive = re.match(r"(?:#\s*\w+\s*=.*\n)*?#\s*escape\s*=\s*([`\\])", text, re.IGNORECASE)
    continued = re.compile(rf"{re.escape(directive[1] if directive else chr(92))}[ \t]*\Z")
    instruction = ""
    lines = iter(text.split("\n"))
    for line in lines:
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        instruction += continued.sub("", line)
        if continued.search(line):
            continue
        keyword, arguments = words(instruction)
        if keyword.upper() == "ONBUILD":
            keyword, arguments = words(arguments)
        yield keyword.upper(), arguments
        if keyword.upper() in ("ADD", "COPY", "RUN"):
            for word in arguments.split():
                if document := HEREDOC.match(word):
                    next((inside for inside in lines if inside.strip("\t") == document[2]), None)
        instruction = ""


def words(instruction: str) -> tuple[str, str]:
    """The first word of an instruction, and the others."""
    first, *others = instruction.split(None, 1) or [""]
    return first, "".join(others).strip()


def substitute(text: str, variables: Mapping[str, str]) -> str:
    """Fill in variables.

    Raises:
        Unclear: One of them has no value.
    """

    def value(match: re.Match[str]) -> str:
        name, operator, other = match[1] or match[2], match[3] or "", match[4] or ""
        given = name in variables and (not operator.startswith(":") or variables[name] != "")
        if operator.endswith("+"):
            return other if given else ""
        if not given and not operator:
            raise Unclear(f"{text} needs a value for {name}, and no ARG before the first FROM gives one")
        return variables[name] if given else other

    return VARIABLE.sub(value, text)


def expand(text: str, variables: Mapping[str, str]) -> str:
    """The name of an image or stage, with its variables filled in; raises Unclear as substitute does."""
    expanded = substitute(text.strip("\"'"), variables)
    if "$" in expanded or not expanded:
        raise Unclear(f"{text or 'an empty name'} cannot be resolved")
    return expanded


def flags(arguments: str) -> tuple[dict[str, list[str]], list[str]]:
    """The flags before the other words of an instruction."""
    rest = arguments.split()
    found: dict[str, list[str]] = {}
    while rest and rest[0].startswith("--"):
        name, _, value = rest.pop(0).removeprefix("--").partition("=")
        found.setdefault(name, []).append(value)
    return found, rest


def short_name(image: str) -> str:
    """The name by which Docker replaces an image: without what it adds to short names."""
    return re.sub(r"\A(index\.)?docker\.io/", "", image).removeprefix("library/").removesuffix(":latest")


class Dockerfile:
    """The stages of a Dockerfile, and the images it names.

    Args:
        text: Its content.
        variables: The build arguments that are given.

    Attributes:
        stages: The names of the stages, in lower case as Docker compares them; a stage without a name has its number.
        bases: What each stage builds on: an image, a stage or `scratch`.
        images: The images, each once.

    Raises:
        Unclear: The name of an image has a variable without a value, or is the name of a stage too.
    """

    def __init__(self, text: str, variables: Mapping[str, str]) -> None:
        self.stages: list[str] = []
        self.bases: list[str] = []
        self.images: list[str] = []
        self._variables = dict(variables)
        sources = []
        for keyword, arguments in instructions(text):
            options, rest = flags(arguments)
            if keyword == "ARG" and not self.stages:
                self._declare(arguments, variables)
            elif keyword == "FROM" and rest:
                self._begin(rest)
            else:
                fields = [field.strip('"').partition("=") for field in ",".join(options.get("mount", [])).split(",")]
                sources += [value for name, _, value in fields if name.lower() == "from"]
                sources += options.get("from", [])
        numbers = map(str, range(len(self.stages)))
        # Docker fills in no variables here.
        named = [expand(source, {}) for source in sources]
        known = {*self.stages, *numbers}
        self.images = list(dict.fromkeys(self.images + [name for name in named if name.lower() not in known]))
        # The pipeline pins an image by its name, and Docker would replace the stage of this name too.
        if taken := {short_name(image) for image in self.images} & set(self.stages):
            raise Unclear(f"{min(taken)} is the name of a stage and of an image")

    @property
    def released(self) -> str:
        """The stage that is released."""
        return "service" if "service" in self.stages else self.stages[-1]

    @property
    def base(self) -> str:
        """The image that the released stage builds on, directly or through other stages."""
        index = self.stages.index(self.released)
        while self.bases[index].lower() in self.stages[:index]:
            index = self.stages.index(self.bases[index].lower())
        return self.bases[index]

    def _declare(self, arguments: str, given: Mapping[str, str]) -> None:
        for word in shlex.split(arguments):
            name, has_default, default = word.partition("=")
            if has_default and name not in given:
                try:
                    self._variables[name] = substitute(default, self._variables)
                except Unclear:
                    continue

    def _begin(self, rest: list[str]) -> None:
        base = expand(rest[0], self._variables)
        if base.lower() not in self.stages and base != "scratch":
            self.images.append(base)
        self.bases.append(base)
        named = len(rest) == 3 and rest[1].upper() == "AS"
        self.stages.append(rest[2].lower() if named else str(len(self.stages)))


def read(path: Path, variables: Mapping[str, str]) -> Dockerfile:
    """Read a Dockerfile.

    Raises:
        Unclear: It has no stage, cannot be read, or names an image that depends on something else.
    """
    try:
        dockerfile = Dockerfile(path.read_text("utf-8-sig"), variables)
    except (OSError, ValueError) as error:
        raise Unclear(f"it cannot be read: {error}") from error
    if not dockerfile.stages:
        raise Unclear("it has no FROM")
    return dockerfile


def variables_of(words: Iterable[str], platform: str = "") -> dict[str, str]:
    """The build arguments of the command line, and those that Docker sets for a platform."""
    system, _, architecture = platform.partition("/")
    parts = {"PLATFORM": platform, "OS": system, "ARCH": architecture} if platform else {}
    automatic = {f"{side}{part}": value for side in ("TARGET", "BUILD") for part, value in parts.items()}
    return automatic | {name: value for name, _, value in (word.partition("=") for word in words)}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=("base", "images", "stages"))
    parser.add_argument("file", type=Path)
    parser.add_argument("--platform", default="", help="the platform of the build, for example linux/amd64")
    parser.add_argument("--build-arg", action="append", default=[], metavar="NAME=VALUE")
    arguments = parser.parse_args()
    try:
        dockerfile = read(arguments.file, variables_of(arguments.build_arg, arguments.platform))
    except Unclear as error:
        print(f"{arguments.file}: {error}.", file=sys.stderr)
        return 1
    base = [dockerfile.base] if dockerfile.base != "scratch" else []
    names = {"base": base, "images": dockerfile.images, "stages": dockerfile.stages}[arguments.what]
    print("".join(f"{name}\n" for name in names), end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
