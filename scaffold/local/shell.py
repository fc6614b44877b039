"""What a shell gives to local AWS, its region, and gets from it, environment variables."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path

from scaffold.core.errors import ScaffoldError
from scaffold.service.service import read


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
