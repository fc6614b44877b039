"""Writes scaffold/completion/words.json from the commands and the kit: `python tools/completion_words.py [--check]`."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import typer

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from scaffold.cli.app import app  # noqa: E402
from scaffold.cli.shared import add_shared_options  # noqa: E402
from scaffold.kit.catalogue import catalogue  # noqa: E402
from scaffold.kit.engine.template import Template  # noqa: E402
from scaffold.kit.questionnaire import Questionnaire  # noqa: E402

WORDS = ROOT / "scaffold" / "completion" / "words.json"
_LONGEST = 60


def words() -> str:
    """The commands with their options and arguments, and the questions with their choices, as JSON."""
    top = typer.main.get_command(app)
    add_shared_options(top, deep=False)
    template = Template(str(ROOT), "HEAD", "v0.0.0", ROOT, {})
    template.load()
    entry = _command(top)
    questions = {
        one.name: {"help": _short(one.help), "choices": _choices(one.type, one.choices)}
        for one in catalogue(Questionnaire(template))
    }
    # A line for each of them, so that two changes seldom meet in one.
    parts = {"top": _lines({name: value for name, value in entry.items() if name != "commands"})}
    parts |= {"commands": _lines(entry["commands"]), "questions": _lines(questions)}
    return "{\n" + ",\n".join(f"{json.dumps(name)}: {text}" for name, text in parts.items()) + "\n}\n"


def _lines(entries: dict[str, Any]) -> str:
    shown = (f" {json.dumps(name)}: {json.dumps(entry, ensure_ascii=False)}" for name, entry in entries.items())
    return "{\n" + ",\n".join(shown) + "\n}"


def _command(command: Any) -> dict[str, Any]:
    options, arguments = {}, []
    for parameter in command.params:
        if parameter.param_type_name == "argument":
            arguments.append(_value(parameter))
            continue
        takes = "" if parameter.is_flag or parameter.count else _value(parameter)
        for name in (*parameter.opts, *parameter.secondary_opts):
            options[name] = {"help": _short(parameter.help), **({"value": takes} if takes else {})}
    options["--help"] = {"help": "Show the help and exit."}
    entry: dict[str, Any] = {"help": _short(command.help), "options": options, "arguments": arguments}
    if hasattr(command, "commands"):
        entry["commands"] = {name: _command(one) for name, one in command.commands.items()}
    return entry


def _value(parameter: Any) -> str:
    return str(parameter.metavar or parameter.name.upper())


def _choices(kind: str, choices: tuple[Any, ...]) -> list[str]:
    if kind == "bool":
        return ["true", "false"]
    return [str(choice) for choice in choices]


def _short(text: str | None) -> str:
    first = " ".join((text or "").partition("\n\n")[0].split()).rstrip(".")
    return first if len(first) <= _LONGEST else f"{first[: _LONGEST - 1].rsplit(' ', 1)[0]}…"


def main() -> int:
    """Write the file, or check it with --check."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 when the file is out of date")
    wanted = words()
    if parser.parse_args().check:
        return int(not WORDS.is_file() or WORDS.read_text("utf-8") != wanted)
    WORDS.write_text(wanted, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
