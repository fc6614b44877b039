"""What every test lives in: a home of its own, and none of the machine's Git, AWS or proxy settings."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

# Settings that would reach a test from the machine: where Git looks, who commits, which account is used.
_PREFIXES = ("AWS_", "GIT_", "XDG_", "COPIER_", "COOKIECUTTER_", "SCAFFOLD_", "CODE_COMMIT_", "BOTO_")
_NAMES = {"EMAIL", "NO_COLOR", "EDITOR", "VISUAL", *(f"{kind}_proxy" for kind in ("http", "https", "all", "no"))}


def isolated(home: Path, environment: dict[str, str] | None = None) -> dict[str, str]:
    """An environment that carries nothing of the machine but its programs.

    Args:
        home: The home directory to live in.
        environment: What to start from; this process's by default.
    """
    kept = {
        name: value
        for name, value in (os.environ if environment is None else environment).items()
        if not name.startswith(_PREFIXES) and name.lower() not in {known.lower() for known in _NAMES}
    }
    return kept | {
        "HOME": str(home),
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_TERMINAL_PROMPT": "0",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": str(home / ".aws" / "config"),
        "AWS_SHARED_CREDENTIALS_FILE": str(home / ".aws" / "credentials"),
        "LC_ALL": "C.UTF-8",
        "TERM": "xterm",
    }


@pytest.fixture(scope="session", autouse=True)
def _isolation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """This process lives in a temporary home; one for each worker, so that the embedded kit is laid out once."""
    # A shell starts what runs in its background deaf to Ctrl-C, and so would be every command under test.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    before = dict(os.environ)
    environment = isolated(tmp_path_factory.mktemp("home"))
    os.environ.clear()
    os.environ.update(environment)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
