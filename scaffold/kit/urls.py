"""The grammar of a kit's address: what Copier and Git make of it."""

from __future__ import annotations

import re
from pathlib import Path

from scaffold.kit.embedded import SOURCE

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://|codecommit::|[A-Za-z0-9._-]+@[A-Za-z0-9._-]+:")
# Over HTTP a user name alone may be a token.
_CREDENTIALS = re.compile(r"(git\+)?(https?://[^/]*@|[a-z][a-z0-9+.-]*://[^/]*:[^/]*@)", re.IGNORECASE)
_HOSTS = {"gh:": "https://github.com/", "gl:": "https://gitlab.com/"}
# Prefixes by which Copier recognises a Git URL; others need a git+ in front.
_KNOWN_PREFIXES = ("git@", "git://", "git+", "https://github.com/", "https://gitlab.com/")


def is_remote(source: str) -> bool:
    """Whether it is a URL, and no path on this machine."""
    if source.startswith((*_KNOWN_PREFIXES, *_HOSTS)):
        return True
    return bool(_SCHEME.match(source)) and not Path(source).exists()


def only_here(source: str) -> bool:
    """Whether a recorded address leads to a kit on one machine only, which is not the embedded kit."""
    return source != SOURCE and not is_remote(source)


def has_credentials(source: str) -> bool:
    """Whether it has a password or a token."""
    return bool(_CREDENTIALS.match(source))


def may_ask(url: str) -> bool:
    """Whether what Git runs for a URL may ask at the terminal: ssh for a passphrase, the AWS helper for an MFA code.

    Args:
        url: As Git uses it, after its setting `url.BASE.insteadOf`.
    """
    return is_remote(url) and not url.startswith(("http://", "https://", "git://"))


def copier_url(source: str) -> str:
    """The URL as Copier recognises it."""
    if source.startswith((*_KNOWN_PREFIXES, *_HOSTS)) or source.endswith(".git"):
        return source
    return f"git+{source}"


def git_url(source: str) -> str:
    """The URL for Git."""
    for prefix, host in _HOSTS.items():
        if source.startswith(prefix):
            return f"{host}{source.removeprefix(prefix).lstrip('/').removesuffix('.git')}.git"
    return source.removeprefix("git+")
