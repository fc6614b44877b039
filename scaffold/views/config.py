"""The defaults for new services as text."""

from __future__ import annotations

from scaffold.commands.config import ConfigResult
from scaffold.console.console import one_line


def text(result: ConfigResult) -> str:
    """The result in several lines."""
    lines = [f"Configuration file: {result.file}{'' if result.exists else ' (none yet)'}"]
    lines.append(f"Kit: {result.kit}, version {result.kit_version}")
    lines.append(f"Notice of a newer kit of a service: {'once a day' if result.kit_notice else 'off'}")
    if not result.defaults:
        return "\n".join([*lines, "No defaults are set: those of the kit apply."])
    rows = [
        (one.name if not one.answer else f"answers.{one.name}", str(one.value), one.source) for one in result.defaults
    ]
    widths = [max(len(row[column]) for row in rows) for column in (0, 1)]
    shown = (f"  {name:<{widths[0]}}  {one_line(value):<{widths[1]}}  {source}" for name, value, source in rows)
    return "\n".join([*lines, "", *shown])
