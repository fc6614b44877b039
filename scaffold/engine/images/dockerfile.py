"""Reads a Dockerfile into stages of instructions.

https://docs.docker.com/reference/dockerfile/
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass

from scaffold.engine.images.needs_engine import BuildFailed, NeedsEngine

_VARIABLE = re.compile(
    r"\\(?P<escaped>\$)|\$(?:(?P<plain>\w+)|\{(?P<name>\w+)(?:(?P<operator>:?[-+])(?P<other>[^{}]*))?\})"
)
_DIRECTIVE = re.compile(r"#\s*(\w+)\s*=\s*(\S+)\s*\Z")


@dataclass(frozen=True)
class Instruction:
    """One instruction.

    Attributes:
        flags: Its `--name=value` flags.
        rest: Its arguments, as they are written.
    """

    keyword: str
    flags: Mapping[str, str]
    rest: str

    @property
    def exec_form(self) -> list[str] | None:
        """The arguments of a JSON array; None if it is none."""
        try:
            words = json.loads(self.rest)
        except ValueError:
            return None
        return words if isinstance(words, list) and all(isinstance(word, str) for word in words) else None

    def __str__(self) -> str:
        flags = "".join(f" --{name}={value}" for name, value in self.flags.items())
        return f"{self.keyword}{flags} {self.rest}"


@dataclass(frozen=True)
class Stage:
    """One stage.

    Attributes:
        base: What FROM names, with build arguments filled in.
    """

    name: str
    base: str
    instructions: tuple[Instruction, ...]


@dataclass(frozen=True)
class Dockerfile:
    """All stages, and the values of the build arguments before the first one."""

    stages: tuple[Stage, ...]
    arguments: Mapping[str, str]

    def stage(self, name: str) -> Stage | None:
        """The last stage of a name, or by its number."""
        for stage in reversed(self.stages):
            if stage.name.lower() == name.lower():
                return stage
        return self.stages[int(name)] if name.isdigit() and int(name) < len(self.stages) else None


def parse(text: str, given: Mapping[str, str]) -> Dockerfile:
    """Read a Dockerfile.

    Args:
        given: The build arguments of the command line.

    Raises:
        NeedsEngine: It has instructions of a kind that only a container engine understands.
        BuildFailed: It is no Dockerfile.
    """
    arguments: dict[str, str] = {}
    stages: list[Stage] = []
    current: list[Instruction] = []
    for instruction in _instructions(text):
        if instruction.keyword == "FROM":
            _close(stages, current)
            current = []
            words = instruction.rest.split()
            name = words[2] if len(words) == 3 and words[1].upper() == "AS" else str(len(stages))
            if len(words) not in (1, 3):
                raise BuildFailed(f"FROM requires either one or three arguments: {instruction.rest}")
            stages.append(Stage(name, substitute(words[0], arguments), ()))
        elif stages:
            current.append(instruction)
        elif instruction.keyword == "ARG":
            arguments |= declared(instruction, given, arguments)
        else:
            raise BuildFailed(f"no build stage in current context: {instruction}")
    _close(stages, current)
    if not stages:
        raise BuildFailed("the Dockerfile has no FROM")
    return Dockerfile(tuple(stages), arguments)


def declared(instruction: Instruction, given: Mapping[str, str], known: Mapping[str, str]) -> dict[str, str]:
    """The build arguments that an ARG declares, as far as they have values."""
    found = {}
    for word in words_of(instruction.rest):
        name, has_default, default = word.partition("=")
        if name in given:
            found[name] = given[name]
        elif has_default:
            found[name] = substitute(default, known)
    return found


def substitute(text: str, variables: Mapping[str, str]) -> str:
    """Fill in `$NAME`, `${NAME}`, `${NAME:-other}` and `${NAME:+other}`; unknown names become empty."""

    def value(match: re.Match[str]) -> str:
        if match["escaped"]:
            return "$"
        found = variables.get(match["plain"] or match["name"])
        operator, other = match["operator"] or "", match["other"] or ""
        has_value = bool(found) if operator.startswith(":") else found is not None
        if operator.endswith("+"):
            return other if has_value else ""
        return (found or "") if has_value else other

    return _VARIABLE.sub(value, text)


def words_of(text: str) -> list[str]:
    """The words of an instruction, by the shell's rules for quotes.

    Raises:
        BuildFailed: A quote is not closed.
    """
    try:
        return shlex.split(text)
    except ValueError as error:
        raise BuildFailed(f"{text}: {error}") from error


def _close(stages: list[Stage], instructions: list[Instruction]) -> None:
    if stages:
        stages[-1] = Stage(stages[-1].name, stages[-1].base, tuple(instructions))


def _instructions(text: str) -> list[Instruction]:
    found, line, head = [], "", True
    for raw in text.removeprefix("\ufeff").splitlines():
        if head and (directive := _DIRECTIVE.match(raw.strip())):
            if directive[1].lower() == "escape" and directive[2] != "\\":
                raise NeedsEngine(f"The directive {raw.strip('# ')} of the Dockerfile")
            continue
        head = False
        if not raw.strip() or raw.lstrip().startswith("#"):
            continue
        line += raw.rstrip()
        if line.endswith("\\"):
            line = line[:-1]
            continue
        found.append(_instruction(line.strip()))
        line = ""
    return found + ([_instruction(line.strip())] if line.strip() else [])


def _instruction(line: str) -> Instruction:
    keyword, _, rest = line.partition(" ")
    rest, flags = rest.strip(), {}
    while match := re.match(r"--([a-z.-]+)(?:=(\S*))?(?:\s+|\Z)", rest):
        flags[match[1]] = match[2] or "true"
        rest = rest[match.end() :]
    if keyword.upper() in ("RUN", "COPY", "ADD") and re.search(r"<<-?['\"]?\w", rest):
        raise NeedsEngine(f"The here-document of {keyword.upper()}")
    return Instruction(keyword.upper(), flags, rest)
