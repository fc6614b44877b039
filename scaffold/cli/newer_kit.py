"""Says after a command that the kit of the service in the current directory has a newer version."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from scaffold.console.preferences import quiet

# They work on no service, or, as `doctor` and `update` do, say it themselves.
_SILENT = frozenset({"new", "questions", "config", "doctor", "update", "local", "completion"})


def say_newer_kit(command: str, arguments: Sequence[str]) -> None:
    """Say it to a person at a terminal, and to no program.

    Args:
        command: The command that has ended.
        arguments: The whole command line, without the program's name.
    """
    options = arguments[: arguments.index("--")] if "--" in arguments else arguments
    watched = sys.stdout.isatty() and sys.stderr.isatty() and not os.environ.get("CI")
    if command in _SILENT or not watched or quiet() or "--json" in options:
        return
    # Only here: the imports cost as much as a short command.
    from scaffold.console.console import Console
    from scaffold.update.notice import notice

    if said := notice(Path()):
        Console().note(said)
