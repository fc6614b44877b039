"""What a shell gives to local AWS, its region and container engine, and gets from it, environment variables."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path

from scaffold.core.errors import ScaffoldError, UsageError
from scaffold.service.service import read

#: The environment variable that chooses a container engine.
ENGINE_VARIABLE = "SCAFFOLD_CONTAINER_ENGINE"

_ENGINES = ("podman", "none")


def container_engine() -> str:
    """The choice of the environment variable; empty for podman where it works.

    Raises:
        UsageError: It is another one.
    """
    choice = os.environ.get(ENGINE_VARIABLE, "")
    if choice not in ("", *_ENGINES):
        raise UsageError(
            f"The environment variable {ENGINE_VARIABLE} is {choice!r}.",
            f"Set it to {' or '.join(_ENGINES)}, or unset it.",
        )
    return choice


def default_region() -> str:
    """The region of the environment variables, else of the service in the current directory."""
    if configured := os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION"):
        return configured
    try:
        return read(Path.cwd()).region
    except ScaffoldError:
        return "us-east-1"


def export_lines(variables: Mapping[str, str]) -> Iterator[str]:
    """The variables as lines for a shell. The line for PATH adds a directory to the PATH of that shell."""
    for name, value in sorted(variables.items()):
        if name == "PATH":
            yield f'export PATH={shlex.quote(value.split(os.pathsep)[0])}{os.pathsep}"$PATH"'
        else:
            yield f"export {name}={shlex.quote(value)}"
