"""The log of a bug, to attach to a report."""

from __future__ import annotations

import os
import platform
import tempfile
import time
import traceback
from pathlib import Path

from scaffold import __version__
from scaffold.core.paths import state_directory
from scaffold.core.secrets import redact


def write_log(bug: BaseException, arguments: list[str]) -> Path:
    """Write traceback, versions and command line, without answers and environment, which may hold secrets.

    Returns:
        The log's path: in the state directory or, where that cannot be written, in the temporary one.
    """
    text = "\n".join(
        (
            f"scaffold {__version__}, Python {platform.python_version()}, {platform.platform()}",
            f"arguments: {_without_answers(arguments)!r}",
            "",
            *traceback.format_exception(bug),
        )
    )
    name = f"scaffold-{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}.log"
    for folder in (state_directory(), Path(tempfile.gettempdir())):
        try:
            folder.mkdir(parents=True, exist_ok=True)
            # Only as a new file: in the shared temporary folder, the name may be another user's link.
            with (folder / name).open("x", encoding="utf-8", errors="backslashreplace") as log:
                log.write(redact(text))
        except OSError:
            continue
        return folder / name
    return Path(os.devnull)


def _without_answers(arguments: list[str]) -> list[str]:
    """The command line with the names of answers only: an answer may be a secret."""
    shown = []
    for before, argument in zip(["", *arguments], arguments, strict=False):
        option, _, pair = argument.partition("=") if argument.startswith("--data=") else ("", "", argument)
        if option or before == "--data":
            name, equals, _ = pair.partition("=")
            argument = f"{option}{'=' if option else ''}{name}{equals}{'***' if equals else ''}"
        shown.append(argument)
    return shown
