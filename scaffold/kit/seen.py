"""The newest version of each kit that a command on this machine has seen, so that others need no network to know it."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from pathlib import Path

from scaffold.core.paths import state_directory


def remember(source: str, version: str) -> None:
    """Keep the newest version of a kit, if the state directory can be written."""
    with suppress(OSError):
        path = _path()
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_name(f"{path.name}.{os.getpid()}")
        unfinished.write_text(json.dumps({**_read(), source: version}, indent=2), "utf-8")
        unfinished.replace(path)


def newest(source: str) -> str | None:
    """The version of a kit that was seen last; None if none was."""
    return _read().get(source)


def _path() -> Path:
    return state_directory() / "kits.json"


def _read() -> dict[str, str]:
    with suppress(OSError, ValueError):
        content = json.loads(_path().read_text("utf-8"))
        if isinstance(content, dict):
            return {name: value for name, value in content.items() if isinstance(value, str)}
    return {}
