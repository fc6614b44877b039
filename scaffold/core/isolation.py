"""This process, and every process that it starts, without the user's settings and credentials."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

# Terminal, language, temporary folders, and where programs find their libraries. Everything else may be, or lead to,
# credentials, so that a list of what is left out would never be complete.
_KEPT = (
    *("TERM", "COLORTERM", "NO_COLOR", "COLUMNS", "LINES", "PROMPT_TOOLKIT_NO_CPR", "TZ", "TMPDIR", "TEMP", "TMP"),
    *("LANG", "LANGUAGE", "LC_ALL", "LC_CTYPE", "LC_MESSAGES"),
    "DOCKER_HOST",  # Local AWS uses a socket of this machine only.
    *("LD_LIBRARY_PATH", "PYTHONPATH", "SYSTEMROOT", "COVERAGE_PROCESS_CONFIG"),
)


@contextmanager
def isolated(home: Path, variables: Mapping[str, str]) -> Iterator[None]:
    """Replace the environment variables of this process for a `with` block.

    Args:
        home: A folder for what programs read from, or write to, the user's home.
        variables: Further variables, PATH among them.
    """
    before = dict(os.environ)
    kept = {name: before[name] for name in _KEPT if name in before}
    os.environ.clear()
    os.environ.update(kept | dict(variables) | _of_home(home))
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def _of_home(home: Path) -> dict[str, str]:
    return {
        "HOME": str(home),
        "XDG_CONFIG_HOME": str(home / ".config"),
        "XDG_CACHE_HOME": str(home / ".cache"),
        "XDG_DATA_HOME": str(home / ".local" / "share"),
        "DOCKER_CONFIG": str(home / ".docker"),
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_NOSYSTEM": "1",
    }
