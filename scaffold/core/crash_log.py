"""The log of a bug, to attach to a report."""

from __future__ import annotations

import os
import platform
import re
import tempfile
import time
import traceback
from pathlib import Path

from scaffold import __version__

_PASSWORD = re.compile(r"(://)[^/\s@'\"]+@")


def write_log(bug: BaseException, arguments: list[str]) -> Path:
    """Write traceback, versions and command line, but not the environment, which may hold credentials.

    Returns:
        The log's path: in the state directory or, where that cannot be written, in the temporary one.
    """
    text = "\n".join(
        (
            f"scaffold {__version__}, Python {platform.python_version()}, {platform.platform()}",
            f"arguments: {arguments!r}",
            "",
            *traceback.format_exception(bug),
        )
    )
    name = f"scaffold-{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}.log"
    for folder in (_state_directory(), Path(tempfile.gettempdir())):
        try:
            folder.mkdir(parents=True, exist_ok=True)
            # Only as a new file: in the shared temporary folder, the name may be another user's link.
            with (folder / name).open("x", encoding="utf-8", errors="backslashreplace") as log:
                log.write(_PASSWORD.sub(r"\1***@", text))
        except OSError:
            continue
        return folder / name
    return Path(os.devnull)


def _state_directory() -> Path:
    try:
        base = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    except RuntimeError:  # no home directory can be determined
        base = tempfile.gettempdir()
    return Path(base) / "gitops-scaffold"
