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

_AWS_CLIENT = str(Path(__file__).with_name("aws_client.py"))
_PARENT = str(Path(__file__).resolve().parents[3])


def install(folder: Path, surroundings: Surroundings) -> Path:
    """Write `docker`, `aws`, `python3`, `pip3`, `npm`, `inspector-sbomgen` and, if this machine has it, `node` for one
    build.

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
    _write(programs / "docker", shlex.join([*_module(module), str(docker)]))
    _write(programs / "inspector-sbomgen", shlex.join([*_module("scaffold.engine.images.sbom"), str(docker)]))
    _write(programs / "aws", shlex.join(_aws(surroundings)))
    _write(programs / "npm", shlex.join([*_module("scaffold.engine.builds.npm"), str(settings)]))
    _write(programs / "pip3", shlex.join([*_module("scaffold.engine.builds.pip"), str(settings)]))
    for name in ("python3", "python"):
        _write(programs / name, shlex.quote(sys.executable))
    if found := node():
        _write(programs / "node", shlex.quote(found))
    return programs


def _aws(surroundings: Surroundings) -> list[str]:
    if surroundings.aws is None:
        return aws_program(surroundings.variables["PATH"])
    return [sys.executable, "-I", "-S", _AWS_CLIENT, str(surroundings.aws.port)]


def aws_program(path: str) -> list[str]:
    """The command that makes AWS calls: the machine's AWS CLI if it can reach local AWS, otherwise a part of it."""
    own = aws_cli(path)
    return [own] if own else _module("scaffold.engine.builds.aws_command")


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


def _module(name: str) -> list[str]:
    """The command that runs a module of this package, whatever variables a build sets for Python."""
    program = f"import sys; sys.path.insert(0, {_PARENT!r}); from {name} import main; sys.exit(main())"
    return [sys.executable, "-I", "-c", program]


def _write(path: Path, command: str) -> None:
    path.write_text(f'#!/bin/sh\nexec {command} "$@"\n')
    path.chmod(0o755)
