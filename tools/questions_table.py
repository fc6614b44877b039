"""Writes the README's table of questions from copier.yml: `python tools/questions_table.py [--check]`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

import yaml
from jinja2 import FileSystemLoader
from jinja2.meta import find_undeclared_variables
from jinja2.sandbox import SandboxedEnvironment

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from scaffold.kit.questionnaire import Questionnaire  # noqa: E402

START, END = "<!-- questions: generated from copier.yml by `make docs` -->", "<!-- /questions -->"


def table() -> str:
    """The questions by group, with what each asks, the possible answers and the default."""
    entries = {
        name: details
        for name, details in yaml.safe_load((ROOT / "copier.yml").read_text("utf-8")).items()
        if not name.startswith("_")
    }
    environment = SandboxedEnvironment(
        loader=FileSystemLoader(ROOT), extensions=["jinja2_ansible_filters.AnsibleCoreFiltersExtension"]
    )
    questionnaire = Questionnaire(entries, environment, ROOT, "v0.0.0")
    required = {name: asked.placeholder({}) for name, asked in questionnaire.questions.items() if asked.required}
    context = questionnaire.context(questionnaire.evaluate(required), {})
    lines = ["| question | asks | answers | default |", "|---|---|---|---|"]
    for title, names in questionnaire.groups():
        lines.append(f"| **{title}** | | | |")
        for name in names:
            question = questionnaire.questions[name]
            declared = entries[name].get("choices")
            depends = find_undeclared_variables(environment.parse(declared)) if isinstance(declared, str) else set()
            if fits := sorted(depends & entries.keys()):
                answers = f"what fits `{'`, `'.join(fits)}`"
            else:
                answers = _choices([choice.value for choice in question.choices(context)]) or _TYPES[question.type]
            default = "" if question.required else _shown(question.default(context))
            lines.append(f"| `{name}` | {_cell(question.help(context))} | {_cell(answers)} | {_cell(default)} |")
    return "\n".join(lines)


def _choices(values: list[Any]) -> str:
    shown = [f"`{value}`" for value in values]
    return ", ".join(shown if len(shown) <= 8 else [*shown[:3], "…", shown[-1]])


_TYPES = {
    "str": "text",
    "int": "a whole number",
    "bool": "yes or no",
    "yaml": "YAML",
    "json": "JSON",
    "float": "a number",
}


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return "no" if not value else "yes"
    return f"`{value}`" if value != "" else "empty"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def with_table(readme: str) -> str:
    """The README with the table as it should be.

    Raises:
        SystemExit: The README lacks the two marks.
    """
    if START not in readme or END not in readme:
        raise SystemExit(f"README.md lacks the marks {START} and {END}.")
    before, rest = readme.split(START, 1)
    return f"{before}{START}\n{table()}\n{END}{rest.split(END, 1)[1]}"


def main() -> int:
    """Write the table, or with --check say whether it is in order."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 when README.md is out of date")
    path = ROOT / "README.md"
    readme = path.read_text("utf-8")
    wanted = with_table(readme)
    if parser.parse_args().check:
        return int(readme != wanted)
    path.write_text(wanted, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
