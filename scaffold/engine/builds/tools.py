"""The programs that the image of CodeBuild has, as far as this machine may lack them or has others."""

from __future__ import annotations

import functools
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

from scaffold.engine.builds.surroundings import Surroundings
from scaffold.engine.tasks.processes import node

_PARENT = str(Path(__file__).resolve().parents[3])


def install(folder: Path, surroundings: Surroundings) -> Path:
    """Write `docker`, `aws`, `python3` and, if this machine has it, `node` for one build.

    Args:
        folder: The folder of the build. Its images and containers are in it.

    Returns:
        The folder of the programs.
    """
    programs = folder / "bin"
    programs.mkdir()
    docker = folder / "docker"
    docker.mkdir(mode=0o700)
    settings = docker / "settings.json"
    engine = surroundings.engine
    known = {"endpoint": surroundings.endpoint, "account": surroundings.account, **_downloads(surroundings)}
    # In a file, since the commands of a build do not get them, as a container would not.
    settings.write_text(json.dumps(known | ({"engine": engine.document()} if engine else {})))
    module = "scaffold.engine.containers.docker" if engine else "scaffold.engine.images.docker"
    _write(programs / "docker", f"{_module(module)} {shlex.quote(str(docker))}")
    own = aws_cli(surroundings.variables["PATH"])
    _write(programs / "aws", shlex.quote(own) if own else _module("scaffold.engine.builds.aws_command"))
    for name in ("python3", "python"):
        _write(programs / name, shlex.quote(sys.executable))
    if found := node():
        _write(programs / "node", shlex.quote(found))
    return programs


# The first versions that read AWS_ENDPOINT_URL; an older one would call AWS.
_ENDPOINT_URL = {"1": (1, 29), "2": (2, 13)}


@functools.cache
def aws_cli(path: str) -> str:
    """The machine's AWS CLI, if it can reach local AWS."""
    found = shutil.which("aws", path=path)
    if found is None:
        return ""
    try:
        done = subprocess.run(
            [found, "--version"], env={"PATH": path}, capture_output=True, text=True, timeout=20, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    version = re.match(r"aws-cli/(\d+)\.(\d+)", done.stdout)
    new = version and (int(version[1]), int(version[2])) >= _ENDPOINT_URL.get(version[1], (0, 0))
    return os.path.abspath(found) if new else ""  # noqa: PTH100 (a virtual environment's link stays one)


def _downloads(surroundings: Surroundings) -> dict[str, object]:
    return {"downloads": dict(surroundings.downloads), "path": surroundings.variables["PATH"]}


def _module(name: str) -> str:
    """The command that runs a module of this package, whatever variables a build sets for Python."""
    program = f"import sys; sys.path.insert(0, {_PARENT!r}); from {name} import main; sys.exit(main())"
    return f"{shlex.quote(sys.executable)} -I -c {shlex.quote(program)}"


def _write(path: Path, command: str) -> None:
    path.write_text(f'#!/bin/sh\nexec {command} "$@"\n')
    path.chmod(0o755)
