"""What of this machine's registries, proxies and certificate authorities is for npm, and what for pip."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

# Credentials may be in both: of npm's registry in npm_config_…, of pip's in PIP_INDEX_URL.
_NPM = ("npm_config_", "node_extra_ca_certs")
_PIP = ("pip_",)
# Without development packages where it is `production`.
_NODE_ENV = "node_env"
_FILES = ("npm_config_userconfig", "npm_config_globalconfig")


def for_npm(downloads: Mapping[str, str]) -> dict[str, str]:
    """The variables that npm gets: its own, and those of every client.

    Args:
        downloads: Environment variables with which this machine reaches registries.
    """
    return _without(downloads, _PIP)


def for_pip(downloads: Mapping[str, str]) -> dict[str, str]:
    """The variables that pip gets: its own, and those of every client.

    Args:
        downloads: Environment variables with which this machine reaches registries.
    """
    return _without(downloads, _NPM)


def npm_settings(environment: Mapping[str, str]) -> str:
    """A digest of the settings of npm outside a project: the same ones install the same packages.

    Args:
        environment: The variables with which npm is called, which also name the files of the user and of all users.
    """
    known = {name.lower(): value for name, value in environment.items()}
    found = {name: value for name, value in known.items() if name.startswith("npm_config_") or name == _NODE_ENV}
    files = [_content(known[name]) for name in _FILES if name in known]
    return hashlib.sha256(repr((sorted(found.items()), files)).encode()).hexdigest()


def _content(path: str) -> bytes | None:
    # npm goes on without a file that it cannot read.
    try:
        return Path(path).read_bytes()
    except OSError:
        return None


def _without(downloads: Mapping[str, str], others: tuple[str, ...]) -> dict[str, str]:
    # npm and pip read their variables in either case.
    return {name: value for name, value in downloads.items() if not name.lower().startswith(others)}
