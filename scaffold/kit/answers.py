"""Answers from the command line and from files."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

from scaffold.core.errors import UsageError
from scaffold.core.yaml_errors import reason
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


def read_file(path: Path) -> dict[str, Any]:
    """Read answers from a YAML or JSON file, for example a service's `.copier-answers.yml`.

    Keys with a leading underscore are Copier's own and left out.

    Raises:
        UsageError: The file cannot be read, or is not a mapping of questions to answers.
    """
    remedy = "Give a YAML or JSON file of the form `app_name: orders`, one line for each answer."
    try:
        text = path.read_text(encoding="utf-8-sig")
        content = json.loads(text) if path.suffix == ".json" else yaml.load(text, _Loader)  # noqa: S506 (a SafeLoader)
    except OSError as error:
        raise UsageError(f"The answers file {path} cannot be read: {error.strerror or error}.", remedy) from error
    except UnicodeDecodeError as error:
        raise UsageError(f"The answers file {path} is not UTF-8 text.", remedy) from error
    except (json.JSONDecodeError, yaml.YAMLError, RecursionError, ValueError) as error:
        kind = "JSON" if path.suffix == ".json" else "YAML"
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
    return given


def _unknown(key: str, names: list[str]) -> UsageError:
    nearest = difflib.get_close_matches(key, names, n=1)
    suggestion = f"Did you mean {nearest[0]}?" if nearest else f"The questions are {', '.join(names)}."
    return UsageError(f"The kit has no question {key!r}.", suggestion)


def _position(error: Exception) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f" (line {error.lineno}, column {error.colno})"
    return f": {reason(error)}" if isinstance(error, yaml.YAMLError) else ""
