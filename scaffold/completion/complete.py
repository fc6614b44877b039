"""Completes a command line: what bash, zsh and fish ask for with `scaffold __complete`.

A shell waits for it while somebody types, so it imports little: no dataclasses, no pathlib, no typing.
"""

from __future__ import annotations

import json
import os.path
import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from typing import Any

_WORDS = os.path.join(os.path.dirname(__file__), "words.json")
_ENVIRONMENTS = re.compile(r"^environments: *(.+?) *$((?:\n *- .*)*)", re.MULTILINE)
_PROFILE = re.compile(r"^\[(?:profile +)?([^\]\s]+)\]", re.MULTILINE)
_NAME = re.compile(r"[a-z][a-z0-9]*")
_ANSWERS_FILE = ".copier-answers.yml"


class Candidate:
    """A word that may follow.

    Attributes:
        help: What it means, in one line; may be empty.
    """

    def __init__(self, value: str, help: str = "") -> None:  # noqa: A002
        self.value = value
        self.help = help


class _Line:
    """What the words before the one to complete say.

    Attributes:
        command: The command or subcommand, as an entry of the words.
        expects: What the option before it takes; None after a word that is no such option.
        positional: How many arguments came before.
        directory: The service's folder that an option or argument names.
    """

    def __init__(self, command: Mapping[str, Any]) -> None:
        self.command = command
        self.expects: str | None = None
        self.positional = 0
        self.directory = ""


def reply(shell: str, position: int, words: Sequence[str]) -> str:
    """The lines that a shell's function reads.

    Args:
        shell: bash, zsh or fish.
        position: Which of the words is to be completed.
        words: The command line as the shell splits it, the program's name first.
    """
    before, current = list(words[1:position]), words[position] if position < len(words) else ""
    kept = 0
    if shell == "bash":
        before, current, kept = _joined([*before, current])
    found = [one for one in candidates(before, current) if one.value.startswith(current)]
    if shell == "bash":
        return "\n".join(one.value[kept:] for one in found)
    return "\n".join(f"{one.value}\t{one.help}" if one.help else one.value for one in found)


def candidates(before: Sequence[str], current: str) -> list[Candidate]:
    """The words that may be meant by the current one; none where a file name, or anything, may follow.

    Args:
        before: The words between the program's name and the current one.
    """
    if "--" in before:
        return []
    words = json.loads(_read_text(_WORDS))
    line = _read({**words["top"], "commands": words["commands"]}, before)
    option, equals, value = current.partition("=")
    if line.expects is None and current.startswith("--") and equals:
        expects = line.command["options"].get(option, {}).get("value", "")
        return [Candidate(f"{option}={one.value}", one.help) for one in _values(expects, value, line, words)]
    if line.expects is not None:
        return list(_values(line.expects, current, line, words))
    if current.startswith("-"):
        return [Candidate(name, entry["help"]) for name, entry in line.command["options"].items()]
    if commands := line.command.get("commands"):
        return [Candidate(name, entry["help"]) for name, entry in commands.items()]
    arguments = line.command["arguments"]
    return list(_values(arguments[line.positional], current, line, words)) if line.positional < len(arguments) else []


def _read(top: Mapping[str, Any], before: Sequence[str]) -> _Line:
    line = _Line(top)
    for word in before:
        if line.expects is not None:
            if line.expects == "DIRECTORY":
                line.directory = word
            line.expects = None
        elif word.startswith("-"):
            name, equals, _ = word.partition("=")
            takes = line.command["options"].get(name, {}).get("value")
            line.expects = takes if takes and not equals else None
        elif word in line.command.get("commands", {}):
            line.command = line.command["commands"][word]
        else:
            arguments = line.command["arguments"]
            if line.positional < len(arguments) and arguments[line.positional] == "DIRECTORY":
                line.directory = word
            line.positional += 1
    return line


def _values(kind: str, current: str, line: _Line, words: Mapping[str, Any]) -> Iterator[Candidate]:
    """The possible values of an option or argument, by the word that its help shows for it."""
    if kind in ("ENV", "[ENV|ID]"):
        yield from (Candidate(name) for name in _environments(line.directory))
    elif kind == "ENVIRONMENT=FAULT":
        yield from (Candidate(f"{name}=") for name in _environments(line.directory))
    elif kind == "PROFILE":
        yield from (Candidate(name) for name in _profiles())
    elif kind == "KEY=VALUE":
        yield from _answers(current, words["questions"])
    elif "|" in kind and kind.islower():
        yield from (Candidate(value) for value in kind.strip("[]").split("|"))


def _answers(current: str, questions: Mapping[str, Any]) -> Iterator[Candidate]:
    name, equals, _ = current.partition("=")
    if equals:
        choices = questions.get(name, {}).get("choices", [])
        yield from (Candidate(f"{name}={choice}") for choice in choices)
    else:
        yield from (Candidate(f"{one}=", entry["help"]) for one, entry in questions.items())


def _environments(directory: str) -> list[str]:
    """The environments of the service that a folder is in, from its answers file."""
    place = os.path.abspath(directory)
    while not os.path.isfile(os.path.join(place, _ANSWERS_FILE)):
        place, below = os.path.dirname(place), place
        if place == below:
            return []
    found = _ENVIRONMENTS.search(_read_text(os.path.join(place, _ANSWERS_FILE)))
    return _NAME.findall(found.group()[len("environments") :]) if found else []


def _profiles() -> list[str]:
    """The AWS profiles of this user."""
    names: dict[str, None] = {}
    for variable, default in (("AWS_CONFIG_FILE", "config"), ("AWS_SHARED_CREDENTIALS_FILE", "credentials")):
        text = _read_text(os.path.expanduser(os.environ.get(variable) or f"~/.aws/{default}"))
        names.update(dict.fromkeys(_PROFILE.findall(text)))
    return list(names)


def _read_text(path: str) -> str:
    """The text of a file; empty if it cannot be read."""
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except (OSError, ValueError):
        return ""


def _joined(words: list[str]) -> tuple[list[str], str, int]:
    """The words, joined again where bash has split them at an equals sign, and how much of the last one it keeps."""
    joined: list[str] = []
    glue = False
    for word in words:
        if joined and (glue or word == "="):
            joined[-1] += word
        else:
            joined.append(word)
        glue = word == "="
    current = joined.pop()
    return joined, current, current.rfind("=") + 1
