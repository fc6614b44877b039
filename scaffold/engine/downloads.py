"""What of this machine's registries, proxies and certificate authorities is for npm, and what for pip."""

from __future__ import annotations

from collections.abc import Mapping

# Credentials may be in both: of npm's registry in npm_config_…, of pip's in PIP_INDEX_URL.
_NPM = ("npm_config_", "node_extra_ca_certs")
_PIP = ("pip_",)


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


def _without(downloads: Mapping[str, str], others: tuple[str, ...]) -> dict[str, str]:
    # npm and pip read their variables in either case.
    return {name: value for name, value in downloads.items() if not name.lower().startswith(others)}
