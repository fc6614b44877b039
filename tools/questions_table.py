"""Writes the README's table of questions from copier.yml: `python tools/questions_table.py [--check]`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from scaffold.kit.catalogue import catalogue  # noqa: E402
from scaffold.kit.engine.template import Template  # noqa: E402
from scaffold.kit.questionnaire import Questionnaire  # noqa: E402

START, END = "<!-- questions: generated from copier.yml by `make docs` -->", "<!-- /questions -->"


def table() -> str:
    """The questions by group, with their help, possible answers and defaults."""
    template = Template(str(ROOT), "HEAD", "v0.0.0", ROOT, {})
    template.load()
    lines, title = ["| question | asks | answers | default |", "|---|---|---|---|"], ""
    for entry in catalogue(Questionnaire(template)):
        if entry.group != title:
            title = entry.group
            lines.append(f"| **{title}** | | | |")
        fits = f"what fits `{'`, `'.join(entry.fits)}`" if entry.fits else ""
        answers = fits or _choices(list(entry.choices)) or _TYPES[entry.type]
        lines.append(f"| `{entry.name}` | {_cell(entry.help)} | {_cell(answers)} | {_cell(_shown(entry.default))} |")
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
    """The README with the current table.

    Raises:
        SystemExit: The README lacks the lines around the table.
    """
    if START not in readme or END not in readme:
        raise SystemExit(f"README.md lacks the lines {START} and {END}.")
    before, rest = readme.split(START, 1)
    return f"{before}{START}\n{table()}\n{END}{rest.split(END, 1)[1]}"


def main() -> int:
    """Write the table, or check it with --check."""
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
