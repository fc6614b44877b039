"""Git's failures: what its messages mean, in a sentence with its remedy."""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import Enum

from scaffold.core.errors import ScaffoldError


class GitFailure(Enum):
    """Why a Git command failed, according to its messages."""

    NOT_FAST_FORWARD = "the remote branch has commits that the local one lacks"
    REMOTE_REJECTED = "the remote repository refused the push"
    DUBIOUS_OWNERSHIP = "the repository belongs to another user"
    NO_IDENTITY = "user.name or user.email is not set"
    HELPER_MISSING = "git-remote-codecommit is not installed"
    NETWORK = "the remote host cannot be reached"
    DENIED = "the remote host refused access"
    UNAVAILABLE = "the remote host cannot answer at the moment"
    STORAGE = "the disk is full or cannot be written"
    OTHER = "anything else"


# In the order in which they are tried. A remote helper that cannot connect prints a traceback through modules that have
# "credentials" in their names, so NETWORK comes before DENIED.
_PATTERNS = {
    # Git gives no reason for a reference that it could open, but not write.
    GitFailure.STORAGE: (
        r"no space left on device|out of disk ?space|disk quota exceeded|read-only file system|couldn't write '",
    ),
    GitFailure.NOT_FAST_FORWARD: (
        r"! \[rejected\] .*\((fetch first|non-fast-forward|needs force|stale info)\)",
        r"not possible to fast-forward",
    ),
    GitFailure.REMOTE_REJECTED: (r"\[remote rejected\]", r"pre-receive"),
    GitFailure.DUBIOUS_OWNERSHIP: (r"dubious ownership", r"unsafe repository \("),
    GitFailure.NO_IDENTITY: (
        r"user\.useConfigOnly",
        r"empty ident name",
        r"auto-detection is disabled",
        r"tell me who",
    ),
    GitFailure.HELPER_MISSING: (
        r"'remote-codecommit' is not a git command",
        r"unable to find remote helper for 'codecommit'",
    ),
    GitFailure.NETWORK: (
        r"(could not|couldn't) (resolve|connect)",
        r"(failed|unable) to connect|connect to host",
        r"connection (was )?(refused|reset|closed|timed out)",
        r"timed out|operation too slow",
        r"(recv|send) failure|unexpected eof while reading",
        r"ssl_(read|write|connect)|gnutls (recv|send)|gnutls_handshake",
        r"network is unreachable|no route to host",
        r"name or service not known|temporary failure in name resolution",
        r"proxy",
        r"EndpointConnectionError",
    ),
    GitFailure.DENIED: (
        r"authentication failed|access denied",
        r"permission denied \(|permission to .* denied",
        r"could not read (username|password)",
        r"error: 40[13]",
        r"credentials",
    ),
    GitFailure.UNAVAILABLE: (
        r"(error:|http) (429|5\d\d)\b",
        r"empty reply from server|transfer closed|early eof|unexpected disconnect|hung up unexpectedly",
        r"rpc failed; curl (18|52|55|56|92)\b|http/2 (stream|framing)",
    ),
}
# What may pass by itself, so that the same command may succeed a moment later.
TRANSIENT = frozenset({GitFailure.NETWORK, GitFailure.UNAVAILABLE})

_FAILURES = {kind: re.compile("|".join(patterns), re.IGNORECASE) for kind, patterns in _PATTERNS.items()}
# Addresses and paths that Git quotes may have any word in them.
_QUOTED_PATH = re.compile(r"'[^'\n]*/[^'\n]*'")


def classify(stderr: str) -> GitFailure:
    """Find out from its messages why a Git command failed.

    Args:
        stderr: What Git printed, in English (LC_ALL=C).
    """
    messages = _QUOTED_PATH.sub("''", stderr)
    return next((kind for kind, pattern in _FAILURES.items() if pattern.search(messages)), GitFailure.OTHER)


# Lines that say that a command failed, not why.
_NOISE = re.compile(
    r"hint:|warning:|To \S+$|error: failed to push some refs|fatal: (the remote end hung up|could not read from remote)"
    r"|please make sure you have the correct access|and the repository exists",
    re.IGNORECASE,
)


class GitFailed(ScaffoldError):
    """A Git command ended with an error.

    Attributes:
        kind: Why it failed.
        reason: Git's own words, or those of a hook, on one line.
    """

    def __init__(self, arguments: tuple[str, ...], stderr: str) -> None:
        while arguments[:1] == ("-c",):
            arguments = arguments[2:]
        self.kind = classify(stderr)
        self.reason = _reason(stderr)
        fix = "Fix what Git reports, then run the same command again."
        super().__init__(
            f"`git {arguments[0]}` failed: {self.reason}", _FREE_SPACE if self.kind is GitFailure.STORAGE else fix
        )


# What each failure means for a repository; remedies differ between the kit's and the service's.
_SENTENCES = {
    GitFailure.NOT_FAST_FORWARD: "{repository} has commits that this clone lacks: another push came first",
    GitFailure.REMOTE_REJECTED: "{repository} refused the push: {reason}",
    GitFailure.DUBIOUS_OWNERSHIP: "{repository} belongs to another user, so Git does not trust it",
    GitFailure.HELPER_MISSING: "Git cannot read {repository} without git-remote-codecommit",
    GitFailure.NETWORK: "{repository} cannot be reached over the network",
    GitFailure.DENIED: "Access to {repository} is denied",
    GitFailure.UNAVAILABLE: "{repository} is unavailable at the moment: {reason}",
    GitFailure.STORAGE: "{repository} cannot be copied: {reason}",
    GitFailure.OTHER: "{repository} cannot be accessed: {reason}",
}
_FREE_SPACE = "Free space there, or set TMPDIR to a folder elsewhere, then run the same command again."
_REMEDIES = {
    GitFailure.STORAGE: _FREE_SPACE,
    GitFailure.NOT_FAST_FORWARD: "Run `git pull --rebase`, then the same command again.",
    GitFailure.HELPER_MISSING: "Install it with `pipx install git-remote-codecommit`, then run the same command again.",
    GitFailure.NETWORK: "Check the network, the proxy and the address, then run the same command again.",
    GitFailure.UNAVAILABLE: "Try again: run the same command in a minute.",
}


def explain(
    failed: GitFailed,
    repository: str,
    remedies: Mapping[GitFailure, str],
    error: type[ScaffoldError] = ScaffoldError,
) -> ScaffoldError:
    """The error for a Git command that failed at a repository.

    Args:
        repository: The repository's name in the message, such as `the kit ~/kit`.
        remedies: Remedies that are specific to this repository, by failure.
        error: The class of the error.
    """
    sentence = _SENTENCES[failed.kind].format(repository=repository, reason=failed.reason).rstrip(".")
    remedy = remedies.get(failed.kind) or _REMEDIES.get(failed.kind) or failed.remedy
    return error(f"{sentence[:1].upper()}{sentence[1:]}.", remedy)


def _reason(stderr: str) -> str:
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    telling = [line for line in lines if not _NOISE.match(line)] or lines[-1:]
    rejected = [line for line in telling if "rejected]" in line]
    # A hook's words may take several lines; Git's own reason is its last.
    chosen = rejected[:1] or (telling if len(telling) <= 3 else telling[-1:])
    return "; ".join(line.removeprefix("fatal: ") for line in chosen) or "Git gave no reason"
