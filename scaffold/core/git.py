"""Git, run so that no setting of the machine can change what happens."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from scaffold.core.errors import ScaffoldError

# Git exports these to its hooks and aliases; inherited, they point our commands at another repository.
REPOSITORY_VARIABLES = (
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_OBJECT_DIRECTORY",
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_COMMON_DIR",
    "GIT_NAMESPACE",
    "GIT_PREFIX",
)


# What is set for all repositories of this machine has no say in what we write: no hooks, no signatures, no ignored
# files, no filters. It is said for single commands; nothing is configured, and who the person is stays known.
# hooks/entry.py, which imports nothing of ours, says the same; a test compares the two.
OWN_WAY = (
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
# For the repositories that are ours alone: no configuration at all, and refs as files that can be read without Git.
_NO_CONFIGURATION = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1", "GIT_DEFAULT_REF_FORMAT": "files"}


class GitFailed(ScaffoldError):
    """A Git command ended with an error.

    Attributes:
        stderr: What Git printed, for callers that recognise a particular failure.
    """

    def __init__(self, arguments: tuple[str, ...], stderr: str) -> None:
        message = next((line for line in reversed(stderr.strip().splitlines()) if line), "it gave no reason")
        while arguments[:1] == ("-c",):
            arguments = arguments[2:]
        super().__init__(
            f"`git {arguments[0]}` failed: {message}",
            "Mend what Git reports, then run the same command again.",
        )
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
def undirected() -> Iterator[None]:
    """Take the variables that redirect Git out of this process for a while, for a library that runs Git itself."""
    taken = {name: os.environ.pop(name) for name in REPOSITORY_VARIABLES if name in os.environ}
    try:
        yield
    finally:
        os.environ.update(taken)


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


def own_git(*arguments: str, cwd: Path, env: Mapping[str, str] | None = None, stdin: str = "") -> str:
    """Run Git in a repository that is ours alone: nothing that a person or a machine configured takes part.

    Args:
        arguments: The arguments after `git`.
        cwd: The directory to run in.
        env: Variables to set besides.
        stdin: What Git reads from its standard input.

    Raises:
        GitFailed: Git ended with an exit code other than 0.
    """
    return git(*OWN_WAY, *arguments, cwd=cwd, env={**_NO_CONFIGURATION, **(env or {})}, stdin=stdin)
