"""The notice that a service's kit has a newer version: without network, at most once a day."""

from __future__ import annotations

import time
from pathlib import Path

from scaffold import __version__
from scaffold.core.errors import ScaffoldError
from scaffold.core.paths import state_directory
from scaffold.kit.defaults import kit_notice
from scaffold.kit.seen import newest

_DAY = 24 * 60 * 60


def notice(directory: Path) -> str | None:
    """One sentence if a newer version is known; None otherwise, without a service, or if it was said within a day.

    Args:
        directory: The service's directory, or one inside it.
    """
    try:
        mark = state_directory() / "kit-notice"
        if _is_fresh(mark) or not kit_notice():
            return None
        said = _newer(directory)
        if said:
            mark.parent.mkdir(parents=True, exist_ok=True)
            mark.touch()  # Not said where this fails, since it would be said with every command.
    except (ScaffoldError, OSError, RuntimeError):  # Commands that need what is wrong here say so.
        return None
    return said


def _is_fresh(mark: Path) -> bool:
    """Whether it was written within a day; a clock that was wrong then must not silence it for years."""
    try:
        return abs(time.time() - mark.stat().st_mtime) < _DAY
    except FileNotFoundError:
        return False


def _newer(directory: Path) -> str | None:
    from scaffold.update import recorded
    from scaffold.update.kits import is_embedded, number

    record = recorded.read(directory)
    known = f"v{__version__}" if is_embedded(record.source) else newest(record.source)
    own, latest = number(record.version), number(known or "")
    if own is None or latest is None or own >= latest:
        return None
    return (
        f"The kit of {record.name} has version {known}, and {record.name} has {record.version}: `scaffold update "
        "--plan` shows what an update would change."
    )
