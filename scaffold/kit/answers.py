"""Answers from the command line and from files."""

from __future__ import annotations

import difflib
import json
import os
import re
import sys
import tempfile
import tomllib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

from scaffold.core.errors import UsageError
from scaffold.core.paths import state_directory
from scaffold.core.yaml_errors import reason
from scaffold.kit.defaults import Default
from scaffold.kit.questionnaire import Questionnaire


class _Loader(yaml.SafeLoader):
    """YAML 1.2, in which `off` is a string and not a boolean, so that `scan_gate: off` needs no quotes."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:bool"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:bool", re.compile(r"\A(true|True|TRUE|false|False|FALSE)\Z"), list("tTfF")
)


_STDIN = Path("-")
_PARSERS: dict[str, Callable[[str], Any]] = {
    "JSON": json.loads,
    "TOML": tomllib.loads,
    "YAML": lambda text: yaml.load(text, _Loader),  # noqa: S506 (a SafeLoader)
}


def split_pairs(pairs: Iterable[str], option: str = "--data", example: str = "app_name=orders") -> dict[str, str]:
    """Split the values of `--data`, or of another option.

    Args:
        pairs: KEY=VALUE; the last value of a key counts.
        option: The name of the option.
        example: A pair as the option takes it.

    Raises:
        UsageError: A pair has no `=`, or no key.
    """
    data = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals or not key.strip():
            raise UsageError(f"`{option} {pair}` is not KEY=VALUE.", f"Write for example `{option} {example}`.")
        data[key.strip()] = value
    return data


def keep_answers(answers: Mapping[str, Any]) -> Path | None:
    """Write answers to a file for the next `--answers`, readable by this user only; None where that is impossible."""
    folder = state_directory() / "answers"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix="new-", suffix=".yml", dir=folder)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            yaml.safe_dump(dict(answers), file, sort_keys=False, allow_unicode=True)
    except (OSError, yaml.YAMLError):
        return None
    return Path(name)


def read_file(path: Path) -> dict[str, Any]:
    """Read answers from a YAML, JSON or TOML file, for example a service's `.copier-answers.yml`.

    Keys with a leading underscore are Copier's own and left out.

    Args:
        path: The file; `-` for stdin, which has YAML or JSON.

    Raises:
        UsageError: The file cannot be read, or is not a mapping of questions to answers.
    """
    remedy = "Give a YAML, JSON or TOML file with a line for each answer, in YAML of the form `app_name: orders`."
    kind = {".json": "JSON", ".toml": "TOML"}.get(path.suffix, "YAML")
    try:
        text = sys.stdin.read() if path == _STDIN else path.read_text(encoding="utf-8-sig")
        content = _PARSERS[kind](text)
    except OSError as error:
        raise UsageError(f"The answers file {path} cannot be read: {error.strerror or error}.", remedy) from error
    except UnicodeDecodeError as error:
        raise UsageError(f"The answers file {path} is not UTF-8 text.", remedy) from error
    except (json.JSONDecodeError, yaml.YAMLError, RecursionError, ValueError) as error:
        raise UsageError(f"The answers file {path} is not valid {kind}{_position(error)}.", remedy) from error
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise UsageError(f"The answers file {path} is not a mapping of questions to answers.", remedy)
    return {str(key): value for key, value in content.items() if not str(key).startswith("_")}


def merge(questionnaire: Questionnaire, data: Mapping[str, str], file: Path | None) -> dict[str, Any]:
    """Combine answers from the command line with those of a file; the command line has precedence.

    Raises:
        UsageError: The file is malformed, or the kit has no such question.
    """
    given = {**(read_file(file) if file else {}), **data}
    for key in given:
        if key not in questionnaire.names:
            raise _unknown(key, questionnaire.names)
    return {key: _listed(questionnaire, key, value) for key, value in given.items()}


def _listed(questionnaire: Questionnaire, name: str, value: Any) -> Any:
    """An answer; a list of words becomes the text that a question for several names, separated by commas, takes."""
    plain = isinstance(value, list) and all(isinstance(one, str | int) for one in value)
    return ",".join(map(str, value)) if plain and questionnaire.takes_text(name) else value


def check_defaults(questionnaire: Questionnaire, defaults: Mapping[str, Default]) -> dict[str, Any]:
    """The answers among a team's defaults, which the kit has to accept together.

    Raises:
        UsageError: The kit has no such question, or does not accept the answer; the remedy names where it is from.
    """
    found = {one.name: one for one in defaults.values() if one.answer}
    for name, one in found.items():
        if name not in questionnaire.names:
            unknown = _unknown(name, questionnaire.names)
            raise unknown.with_remedy(f"{unknown.remedy} It comes from {one.source}.")
    answers = {name: _listed(questionnaire, name, one.value) for name, one in found.items()}
    if answers:
        try:
            questionnaire.evaluate(answers)
        except UsageError as refused:
            wrong = found.get(getattr(refused, "question", ""))
            sources = {wrong.source} if wrong else {one.source for one in found.values()}
            raise refused.with_remedy(f"Change the defaults in {' and '.join(sorted(sources))}.") from refused
    return answers


def _unknown(key: str, names: list[str]) -> UsageError:
    nearest = difflib.get_close_matches(key, names, n=1)
    suggestion = f"Did you mean {nearest[0]}?" if nearest else f"The questions are {', '.join(names)}."
    return UsageError(f"The kit has no question {key!r}.", suggestion)


def _position(error: Exception) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f" (line {error.lineno}, column {error.colno})"
    if isinstance(error, tomllib.TOMLDecodeError):
        return f": {error}"
    return f": {reason(error)}" if isinstance(error, yaml.YAMLError) else ""
