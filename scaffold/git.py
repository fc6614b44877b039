"""Git, run so that no setting of the machine can change what happens."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

from scaffold.errors import ScaffoldError

# Git exports these to its hooks and aliases; inherited, they point our commands at another repository.
_REPOSITORY_VARIABLES = (
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_OBJECT_DIRECTORY",
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_COMMON_DIR",
    "GIT_NAMESPACE",
    "GIT_PREFIX",
)


# Hooks that the person set up for all repositories of this machine have no say in ours.
NO_HOOKS = ("-c", f"core.hooksPath={os.devnull}")


class GitFailed(ScaffoldError):
    """A Git command ended with an error.

    Attributes:
        stderr: What Git printed, for callers that recognise a particular failure.
    """

    def __init__(self, arguments: tuple[str, ...], stderr: str) -> None:
        message = next((line for line in reversed(stderr.strip().splitlines()) if line), "it gave no reason")
        super().__init__(
            f"`git {' '.join(arguments[:2])}` failed: {message}",
            "Mend what Git reports, then run the same command again.",
        )
        self.stderr = stderr


def clean_environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """The process environment without variables that redirect Git, never prompting.

    Args:
        extra: Variables to set on top.
    """
    environment = {key: value for key, value in os.environ.items() if key not in _REPOSITORY_VARIABLES}
    environment |= {"GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"}
    return environment | dict(extra or {})


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
