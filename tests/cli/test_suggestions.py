"""What is suggested to somebody who mistypes a command or an option."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator

import pytest
import typer

from scaffold.cli.app import COMMANDS, app
from scaffold.cli.suggestions import _DANGEROUS, _ELSEWHERE, command_like, option_like, subcommand_like
from tests.test_docs import SUBCOMMANDS

KNOWN = typer.main.get_command(app).commands  # type: ignore[attr-defined]
ALL = {**KNOWN, **SUBCOMMANDS}


def misspelt(word: str) -> Iterator[str]:
    """A word with one character missing, doubled, changed or exchanged with the next."""
    for at in range(len(word)):
        yield word[:at] + word[at + 1 :]
        yield word[: at + 1] + word[at:]
        yield f"{word[:at]}x{word[at + 1 :]}"
        yield word[:at] + word[at : at + 2][::-1] + word[at + 2 :]


def test_no_typing_error_leads_to_something_dangerous() -> None:
    options = {name for command in ALL.values() for one in command.params for name in one.opts if name[:2] == "--"}
    assert {"--yes", "--environment"} <= options
    for guess, words in (
        (command_like, COMMANDS),
        (option_like, options),
        (subcommand_like, ("list", "remove", "set")),
    ):
        suggested = {guess(wrong, words) for word in words for wrong in misspelt(word) if wrong not in _ELSEWHERE}
        named = {word for sentence in suggested for word in re.findall(r"[a-z-]+", sentence)}
        assert named & {"list", "deploy", "--environment"}
        assert not named & _DANGEROUS


@pytest.mark.parametrize(
    ("word", "command"), [("init", "new"), ("up", "deploy"), ("delete", "destroy"), ("diff", "deploy --plan")]
)
def test_the_names_of_other_tools_are_known(word: str, command: str) -> None:
    assert command_like(word, COMMANDS) == f"It is `scaffold {command}` here."


def test_every_name_of_other_tools_leads_to_a_command() -> None:
    for word, command in _ELSEWHERE.items():
        first, *rest = command.split()[1:]
        assert word not in COMMANDS
        assert first in COMMANDS or first in ("--help", "--version")
        known = {name for parameter in KNOWN[first].params for name in parameter.opts} if first in COMMANDS else set()
        assert all(one in known or f"{first} {one}" in SUBCOMMANDS for one in rest)


@pytest.mark.parametrize("name", ALL)
def test_the_help_of_every_command_has_examples_that_exist(name: str) -> None:
    examples = re.findall(r"^ +(scaffold .+)$", ALL[name].help.partition("Examples:")[2], re.MULTILINE)
    assert examples or name == "local env"
    for line in examples:
        words = shlex.split(line.partition(" && ")[0])[1:]
        path = " ".join(words[:2]) if " ".join(words[:2]) in SUBCOMMANDS else words[0]
        known = {option for parameter in ALL[path].params for option in parameter.opts}
        own = words[: words.index("--")] if "--" in words else words
        assert {word for word in own if word.startswith("--")} <= known
        assert max(map(len, line.splitlines())) <= 76
