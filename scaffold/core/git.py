"""Runs Git, independently of the user's configuration where files are written, and classifies its failures."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from enum import Enum
from pathlib import Path

from scaffold.core.errors import ScaffoldError

# What `git rev-parse --local-env-vars` lists, and GIT_NAMESPACE. Git exports these to its hooks and aliases; inherited,
# they point our commands at another repository. GIT_CONFIG_COUNT is not among them: containers and CI use it to give
# Git its credentials, proxy and safe.directory, as others use ~/.gitconfig.
REPOSITORY_VARIABLES = (
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_COMMON_DIR",
    "GIT_CONFIG",
    "GIT_CONFIG_PARAMETERS",
    "GIT_DIR",
    "GIT_GRAFT_FILE",
    "GIT_IMPLICIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_INTERNAL_SUPER_PREFIX",
    "GIT_NAMESPACE",
    "GIT_NO_REPLACE_OBJECTS",
    "GIT_OBJECT_DIRECTORY",
    "GIT_PREFIX",
    "GIT_REPLACE_REF_BASE",
    "GIT_SHALLOW_FILE",
    "GIT_WORK_TREE",
)


# Flags that override the user's global Git configuration (hooks, signing, ignores, attributes) for one command. Nothing
# is written to any configuration; user.name and user.email still apply. hooks/entry.py, which imports nothing of this
# package, repeats them; a test compares the two.
ISOLATED = (
    *("-c", f"core.hooksPath={os.devnull}"),
    *("-c", f"core.excludesFile={os.devnull}"),
    *("-c", f"core.attributesFile={os.devnull}"),
    *("-c", "core.autocrlf=false"),
    *("-c", "core.fsmonitor=false"),
    *("-c", "commit.gpgsign=false"),
    *("-c", "user.useConfigOnly=true"),
    *("-c", "gc.auto=0"),
    *("-c", "maintenance.auto=false"),
)
# No configuration but the repository's own. Refs are files, so that they can be read without starting Git.
_NO_CONFIGURATION = {
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_COUNT": "0",
    "GIT_DEFAULT_REF_FORMAT": "files",
}


class GitFailure(Enum):
    """Why a Git command failed, as far as its messages tell."""

    NOT_FAST_FORWARD = "the remote branch has commits that the local one lacks"
    REMOTE_REJECTED = "the remote repository refused the push"
    DUBIOUS_OWNERSHIP = "the repository belongs to another user"
    NO_IDENTITY = "user.name or user.email is not set"
    HELPER_MISSING = "the remote helper for the address is not installed"
    NETWORK = "the remote host cannot be reached"
    DENIED = "the remote host refused access"
    OTHER = "anything else"


# In the order in which they are tried. A remote helper that cannot connect prints a traceback through modules that have
# "credentials" in their names, so NETWORK comes before DENIED.
_PATTERNS = {
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
    GitFailure.HELPER_MISSING: (r"'remote-[\w-]+' is not a git command", r"unable to find remote helper"),
    GitFailure.NETWORK: (
        r"(could not|couldn't) (resolve|connect)",
        r"(failed|unable) to connect|connect to host",
        r"connection (was )?(refused|reset|closed|timed out)",
        r"timed out",
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
}
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


class GitFailed(ScaffoldError):
    """A Git command ended with an error.

    Attributes:
        kind: Why it failed.
        stderr: What Git printed.
    """

    def __init__(self, arguments: tuple[str, ...], stderr: str) -> None:
        message = next((line for line in reversed(stderr.strip().splitlines()) if line), "it gave no reason")
        while arguments[:1] == ("-c",):
            arguments = arguments[2:]
        super().__init__(
            f"`git {arguments[0]}` failed: {message}",
            "Fix what Git reports, then run the same command again.",
        )
        self.kind = classify(stderr)
        self.stderr = stderr


def clean_environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """The process environment without variables that redirect Git, never prompting.

    Args:
        extra: Variables to set on top.
    """
    environment = {key: value for key, value in os.environ.items() if key not in REPOSITORY_VARIABLES}
    environment |= {"GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"}
    return environment | dict(extra or {})


@contextmanager
def without_git_variables() -> Iterator[None]:
    """Remove GIT_DIR and its like from os.environ while Copier runs Git."""
    removed = {name: os.environ.pop(name) for name in REPOSITORY_VARIABLES if name in os.environ}
    try:
        yield
    finally:
        os.environ.update(removed)


def git(*arguments: str, cwd: Path, env: Mapping[str, str] | None = None, stdin: str = "") -> str:
    """Run Git and return what it printed, without the trailing newline.

    Args:
        arguments: The arguments after `git`.
        cwd: The directory to run in.
        env: Variables to set on top of the cleaned environment.
        stdin: What Git reads from its standard input.

    Raises:
        GitFailed: Git ended with an exit code other than 0.
        ScaffoldError: Git is not installed.
    """
    try:
        done = subprocess.run(
            ["git", *arguments],
            cwd=cwd,
            env=clean_environment(env),
            capture_output=True,
            text=True,
            encoding="utf-8",
            errors="replace",
            check=False,
            input=stdin,
        )
    except FileNotFoundError as error:
        if not Path(cwd).is_dir():
            raise
        raise ScaffoldError(
            "Git is not installed, or not on the PATH.", "Install Git, then run the same command again."
        ) from error
    if done.returncode:
        raise GitFailed(arguments, done.stderr)
    return done.stdout.removesuffix("\n")


def isolated_git(*arguments: str, cwd: Path, env: Mapping[str, str] | None = None, stdin: str = "") -> str:
    """Run Git without system and user configuration, for repositories that only scaffold writes.

    Args:
        arguments: The arguments after `git`.
        cwd: The directory to run in.
        env: Variables to set on top of the cleaned environment.
        stdin: What Git reads from its standard input.

    Raises:
        GitFailed: Git ended with an exit code other than 0.
    """
    return git(*ISOLATED, *arguments, cwd=cwd, env={**_NO_CONFIGURATION, **(env or {})}, stdin=stdin)
