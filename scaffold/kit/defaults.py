"""A team's defaults for new services: `SCAFFOLD_*` variables and `~/.config/gitops-scaffold/config.toml`."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from scaffold.core.errors import UsageError

ANSWER_PREFIX = "SCAFFOLD_ANSWER_"
_KEYS = {"kit": "SCAFFOLD_KIT", "kit_version": "SCAFFOLD_KIT_VERSION"}
#: Whether a newer version of a service's kit is said: the key in the file, and the variable.
NOTICE = "kit_notice"
_NOTICE_VARIABLE = "SCAFFOLD_KIT_NOTICE"
_SWITCH = {"on": True, "true": True, "1": True, "off": False, "false": False, "0": False}
_ANSWERS = "answers"
_EXAMPLE = 'for example `kit = "git+codecommit::eu-central-1://our-kit"`, and answers below `[answers]`'


@dataclass(frozen=True)
class Default:
    """One default.

    Attributes:
        name: `kit`, `kit_version`, `kit_notice`, or the name of a question.
        source: The variable, or the path of the file, that it comes from.
        answer: Whether it is the answer to a question.
    """

    name: str
    value: Any
    source: str
    answer: bool


def config_file() -> Path:
    """The path of the configuration file, which need not exist.

    Raises:
        RuntimeError: The home directory cannot be determined.
    """
    return Path(os.environ.get("XDG_CONFIG_HOME") or "~/.config").expanduser() / "gitops-scaffold" / "config.toml"


def read_defaults() -> dict[str, Default]:
    """The defaults by name. A variable has precedence over the file; an empty one counts as unset.

    Raises:
        UsageError: The file cannot be read, or has something else in it.
    """
    return {**{one.name: one for one in _from_file()}, **{one.name: one for one in _from_variables()}}


def chosen(kit: str | None, version: str | None) -> tuple[str | None, str | None, str]:
    """The kit and the version to use, and what names the kit.

    Args:
        kit: The value of `--kit`. Without it the defaults apply; they say nothing about another kit.
        version: The value of `--kit-version`.

    Raises:
        UsageError: The defaults cannot be read.
    """
    if kit is not None:
        return kit, version, "--kit"
    defaults = read_defaults()
    source, tag = defaults.get("kit"), defaults.get("kit_version")
    return (
        source.value if source else None,
        version if version is not None or tag is None else tag.value,
        source.source if source else "",
    )


def kit_notice() -> bool:
    """Whether a newer version of a service's kit is said.

    Raises:
        UsageError: The defaults cannot be read.
    """
    found = read_defaults().get(NOTICE)
    return found is None or bool(found.value)


def _from_variables() -> Iterator[Default]:
    if value := os.environ.get(_NOTICE_VARIABLE):
        if value.lower() not in _SWITCH:
            raise UsageError(f"The environment variable {_NOTICE_VARIABLE} is {value!r}.", "Set it to on or off.")
        yield Default(NOTICE, _SWITCH[value.lower()], f"${_NOTICE_VARIABLE}", answer=False)
    for name, variable in _KEYS.items():
        if value := os.environ.get(variable):
            yield Default(name, value, f"${variable}", answer=False)
    for variable, value in sorted(os.environ.items()):
        if variable.startswith(ANSWER_PREFIX) and value:
            yield Default(variable.removeprefix(ANSWER_PREFIX).lower(), value, f"${variable}", answer=True)


def _from_file() -> Iterator[Default]:
    try:
        path = config_file()
        content = tomllib.loads(path.read_text("utf-8"))
    except (FileNotFoundError, NotADirectoryError, RuntimeError):
        return
    except OSError as error:
        raise UsageError(
            f"The configuration file {path} cannot be read: {error.strerror or error}.", "Make it readable."
        ) from error
    except ValueError as error:  # no TOML, or no UTF-8
        raise UsageError(f"The configuration file {path} is not valid TOML: {error}.", f"Write {_EXAMPLE}.") from error
    for name, value in content.items():
        if name == _ANSWERS and isinstance(value, dict):
            yield from (Default(question, answer, str(path), answer=True) for question, answer in value.items())
        elif (name in _KEYS and isinstance(value, str)) or (name == NOTICE and isinstance(value, bool)):
            yield Default(name, value, str(path), answer=False)
        else:
            raise _unexpected(path, name)


def _unexpected(path: Path, name: str) -> UsageError:
    known = [*_KEYS, NOTICE, _ANSWERS]
    if name in known:
        kind = {_ANSWERS: "a table", NOTICE: "true or false"}.get(name, "a string")
        return UsageError(f"{name} in the configuration file {path} is not {kind}.", f"Write {_EXAMPLE}.")
    near = get_close_matches(name, known, 1)
    advice = f"Did you mean {near[0]}?" if near else f"It may have {', '.join(known)}; answers belong below [answers]."
    return UsageError(f"The configuration file {path} has an unknown key {name}.", advice)
