"""What a shell gives to local AWS, its region and container engine, and gets from it, environment variables."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from scaffold.core.errors import ScaffoldError, UsageError
from scaffold.service.service import read

#: The environment variable that chooses a container engine.
ENGINE_VARIABLE = "SCAFFOLD_CONTAINER_ENGINE"

#: The variable in which the server gets the Docker daemon: DOCKER_HOST would give it to ministack too.
DOCKER_VARIABLE = "SCAFFOLD_DOCKER_HOST"

_SECONDS = 20
_SHELLS = ("bash", "dash", "fish", "ksh", "sh", "zsh")
_MARK = "(local AWS) "
_ENGINES = ("docker", "podman", "none")


def container_engine() -> str:
    """The choice of the environment variable; empty for the first engine that works.

    Raises:
        UsageError: It is another one.
    """
    choice = os.environ.get(ENGINE_VARIABLE, "")
    if choice not in ("", *_ENGINES):
        raise UsageError(
            f"The environment variable {ENGINE_VARIABLE} is {choice!r}.",
            f"Set it to {', '.join(_ENGINES[:-1])} or {_ENGINES[-1]}, or unset it.",
        )
    return choice


def docker_host() -> str:
    """The socket or address of the Docker daemon that the user's commands use; empty without Docker."""
    program = shutil.which("docker")
    if program is None or os.environ.get("DOCKER_HOST"):
        return os.environ.get("DOCKER_HOST", "")
    shown = [program, "context", "inspect", "--format", "{{.Endpoints.docker.Host}}"]
    with suppress(OSError, subprocess.TimeoutExpired):
        done = subprocess.run(
            shown, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=_SECONDS, check=False
        )
        return done.stdout.strip()
    return ""


def default_region() -> str:
    """The region of the environment variables, else of the service in the current directory."""
    if configured := os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION"):
        return configured
    try:
        return read(Path.cwd()).region
    except ScaffoldError:
        return "us-east-1"


def is_shell_for_a_person(command: Sequence[str]) -> bool:
    """Whether a command is a shell alone, at a terminal."""
    return len(command) == 1 and Path(command[0]).name in _SHELLS and sys.stdin.isatty()


def prompt_variables() -> dict[str, str]:
    """What marks the prompt of bash, unless the user's own is made in the same way. Only bash has such a variable."""
    own = os.environ.get("PROMPT_COMMAND")
    return {} if own else {"PROMPT_COMMAND": f'PS1="{_MARK}${{PS1#"{_MARK}"}}"'}


def export_lines(variables: Mapping[str, str]) -> Iterator[str]:
    """The variables as lines for a shell. The line for PATH adds a directory to the PATH of that shell."""
    for name, value in sorted(variables.items()):
        if name == "PATH":
            yield f'export PATH={shlex.quote(value.split(os.pathsep)[0])}{os.pathsep}"$PATH"'
        else:
            yield f"export {name}={shlex.quote(value)}"
