"""Runs Git, independently of the user's configuration where files are written."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

from scaffold.core.errors import ScaffoldError
from scaffold.core.git_failures import TRANSIENT, GitFailed

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
# They change what the paths of a command mean.
_PATH_VARIABLES = tuple(f"GIT_{kind}_PATHSPECS" for kind in ("GLOB", "ICASE", "LITERAL", "NOGLOB"))
_REDIRECTING = frozenset((*REPOSITORY_VARIABLES, *_PATH_VARIABLES))

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
# Git waits for ever for a host that accepts a connection and says nothing. GIT_HTTP_LOW_SPEED_TIME overrides it.
_SILENT_HOST = ("-c", "http.lowSpeedLimit=1", "-c", "http.lowSpeedTime=60")
# ssh, too; it leaves after a minute. These come before what ~/.ssh/config says.
_SILENT_SSH_HOST = "ssh -o ConnectTimeout=60 -o ServerAliveInterval=15 -o ServerAliveCountMax=4"
# Seconds before each further attempt.
_PAUSES = (0.5, 2.0)
_IDENTITY = {"user.name": '"Your Name"', "user.email": "you@example.com"}
# No configuration but the repository's own. Refs are files, so that they can be read without starting Git.
_NO_CONFIGURATION = {
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_COUNT": "0",
    "GIT_DEFAULT_REF_FORMAT": "files",
}


def clean_environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """The process environment without variables that redirect Git, never prompting.

    Args:
        extra: Variables to set on top.
    """
    environment = {key: value for key, value in os.environ.items() if key not in _REDIRECTING}
    environment |= {"GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"}
    return environment | dict(extra or {})


def git(*arguments: str, cwd: Path, env: Mapping[str, str] | None = None, stdin: str = "") -> str:
    """Run Git and return its output, without the trailing newline.

    Args:
        env: Variables to set on top of the cleaned environment.
        stdin: Git's standard input.

    Raises:
        GitFailed: Git ended with an exit code other than 0.
        ScaffoldError: Git is not installed.
    """
    text = {"text": True, "encoding": "utf-8", "errors": "replace"}
    done = _run(arguments, cwd, clean_environment(env), stdin, **text)
    if done.returncode:
        raise GitFailed(arguments, done.stderr)
    return str(done.stdout).removesuffix("\n")


def git_bytes(
    *arguments: str, cwd: Path, env: Mapping[str, str], stdin: bytes = b"", accepted: Collection[int] = (0,)
) -> bytes:
    """Run Git and return its output as it is, for paths and contents in any encoding.

    Args:
        env: The whole environment.
        stdin: Git's standard input.
        accepted: The exit codes that are no failure.

    Raises:
        GitFailed: Git ended with another exit code.
        ScaffoldError: Git is not installed.
    """
    done = _run(arguments, cwd, env, stdin)
    if done.returncode not in accepted:
        raise GitFailed(arguments, done.stderr.decode("utf-8", "replace"))
    return bytes(done.stdout)


def _run(
    arguments: tuple[str, ...], cwd: Path, env: Mapping[str, str], stdin: str | bytes, **text: Any
) -> subprocess.CompletedProcess[Any]:
    command = ["git", *arguments]
    try:
        done = subprocess.run(command, cwd=cwd, env=env, capture_output=True, check=False, input=stdin, **text)
    except (FileNotFoundError, PermissionError) as error:
        if not Path(cwd).is_dir():
            raise
        raise ScaffoldError(
            "Git is not installed, or not executable on the PATH.", "Install Git, then run the same command again."
        ) from error
    # A terminal interrupts both, and Python loses its interruption where it ignores exceptions, as in an import.
    if done.returncode in (-signal.SIGINT, 128 + signal.SIGINT):
        raise KeyboardInterrupt
    return done


def setting(folder: Path, key: str) -> str:
    """A value of Git's configuration that applies in a folder; empty where it is not set."""
    try:
        return git("config", "--get", key, cwd=folder)
    except GitFailed:
        return ""


def settings(folder: Path) -> dict[str, str]:
    """Git's configuration that applies in a folder, for several questions.

    Git writes sections and variables in lower case, such as `extensions.partialclone`. Of several values, the last one.
    """
    try:
        listed = git("config", "--list", "-z", cwd=folder)
    except GitFailed:
        return {}
    entries = (entry.partition("\n") for entry in listed.split("\0") if entry)
    return {key: value for key, _, value in entries}


def unset_identity(folder: Path) -> list[str]:
    """The settings without which commits in a folder have no author: user.name, user.email, both or none."""
    keys = [f"user.{field}" for field in ("name", "email") if not os.environ.get(f"GIT_AUTHOR_{field.upper()}")]
    configured = settings(folder) if keys else {}
    return [key for key in keys if not configured.get(key)]


def identity_commands(settings_: Iterable[str]) -> list[str]:
    """The commands that set user.name and user.email, or one of them."""
    return [f"git config --global {setting} {_IDENTITY[setting]}" for setting in settings_]


def check_author(folder: Path) -> None:
    """Refuse a repository in which a commit would have no author. Git is asked: on some machines it guesses one.

    Raises:
        ScaffoldError: Git knows none.
    """
    try:
        for role in ("AUTHOR", "COMMITTER"):
            git("var", f"GIT_{role}_IDENT", cwd=folder)
    except GitFailed as error:
        commands = " and ".join(f"`{one}`" for one in identity_commands(unset_identity(folder) or _IDENTITY))
        raise ScaffoldError(
            "Git does not know who commits, so that nothing was changed.",
            f"Run {commands}, then the same command again; or leave --commit out.",
        ) from error


def has_no_commit(folder: Path) -> bool:
    """Whether a folder is the top of a Git repository in which nothing was ever committed, fetched or staged."""
    try:
        directory = Path(git("rev-parse", "--absolute-git-dir", cwd=folder))
        return not git("for-each-ref", "--count=1", cwd=folder) and not (directory / "index").exists()
    except GitFailed:
        return False


def outer_work_tree(folder: Path) -> str | None:
    """The top of the Git work tree around a folder, which may not exist yet; None for none, or one that ignores it."""
    parent = next(path for path in folder.parents if path.is_dir())
    try:
        top = git("rev-parse", "--show-toplevel", cwd=parent)
    except GitFailed:
        return None
    try:
        git("check-ignore", "--quiet", "--", f"{folder}/", cwd=parent)
    except GitFailed:
        return top
    return None


def url_in_use(url: str, cwd: Path) -> str:
    """The URL that Git replaces a URL with, by `url.BASE.insteadOf`; the URL itself where Git cannot say."""
    try:
        return git("ls-remote", "--get-url", "--", url, cwd=cwd)
    except ScaffoldError:
        return url


def network_git(*arguments: str, cwd: Path, env: Mapping[str, str] | None = None, https: bool = False) -> str:
    """Run a Git command that talks to another host. It is tried again after a failure that may pass by itself.

    Takes the arguments of `git`, and raises what it raises.

    Args:
        https: It is known to speak HTTPS, so that no limits for ssh are needed.
    """
    limits = _SILENT_HOST if https else _limits_of_silence(cwd, env)
    for pause in _PAUSES:
        try:
            return git(*limits, *arguments, cwd=cwd, env=env)
        except GitFailed as error:
            if error.kind not in TRANSIENT:
                raise
        time.sleep(pause)
    return git(*limits, *arguments, cwd=cwd, env=env)


def _limits_of_silence(cwd: Path, env: Mapping[str, str] | None) -> tuple[str, ...]:
    """Git's options for a host that says nothing. An ssh command that the user has chosen stays as it is."""
    environment = clean_environment(env)
    chosen = environment.get("GIT_SSH_COMMAND") or environment.get("GIT_SSH") or setting(cwd, "core.sshCommand")
    return _SILENT_HOST if chosen else (*_SILENT_HOST, "-c", f"core.sshCommand={_SILENT_SSH_HOST}")


def isolated_git(*arguments: str, cwd: Path, env: Mapping[str, str] | None = None, stdin: str = "") -> str:
    """Run Git without system and user configuration, for repositories that only scaffold writes.

    Takes the arguments of `git`, and raises what it raises.
    """
    return git(*ISOLATED, *arguments, cwd=cwd, env={**_NO_CONFIGURATION, **(env or {})}, stdin=stdin)
