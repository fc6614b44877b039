"""The questions of a kit as text."""

from __future__ import annotations

import textwrap
from typing import Any

from scaffold.commands.questions import QuestionsResult
from scaffold.kit.catalogue import CatalogueEntry

_WIDTH = 78
_MANY = 8
_TYPES = {"bool": "yes or no", "float": "a number", "int": "a whole number", "json": "JSON", "yaml": "YAML"}


def text(result: QuestionsResult) -> str:
    """The result in several lines: each question with what it asks, its answers and its default."""
    lines, group = [f"Questions of the kit {result.kit}, version {result.kit_version}"], ""
    for entry in result.questions:
        if entry.group != group:
            group = entry.group
            lines += ["", f"{group}:"]
        lines.append(f"  {entry.name}={_shown(entry.default)}")
        lines += textwrap.wrap(entry.help, _WIDTH, initial_indent="      ", subsequent_indent="      ")
        lines += textwrap.wrap(_answers(entry), _WIDTH, initial_indent="      ", subsequent_indent="      ")
    return "\n".join(lines)


def _answers(entry: CatalogueEntry) -> str:
    if entry.fits:
        return f"What fits {', '.join(entry.fits)}."
    shown = [_shown(choice) for choice in entry.choices]
    if shown:
        return f"One of {', '.join(shown if len(shown) <= _MANY else [*shown[:3], '…', shown[-1]])}."
    return f"{_TYPES[entry.type].capitalize()}." if entry.type in _TYPES else ""


def _shown(value: Any) -> str:
    from scaffold.kit.engine.question import as_text

    return as_text(value)
