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
_SH = '#!/bin/sh\nexec {command} "$@"\n'
# Does what aws_client.py does, in a fifth of its time: an execution makes a hundred calls. The rest is left to that
# program: what Git says, an answer that names a program, a bash without /dev/tcp. Where the exit code is 0, all of the
# answer is output, otherwise all is error. -p: bash reads neither BASH_ENV nor functions of the build.
_BASH_CLIENT = """\
#!{bash} -p
if [ "$1" != codecommit ] && {{ exec 3<>/dev/tcp/127.0.0.1/{port}; }} 2>/dev/null; then
  variables=()
  for name in "${{!AWS_@}}"; do variables+=("$name=${{!name}}"); done
  printf '%s\\0' $# ${{#variables[@]}} "$@" "${{variables[@]}}" >&3
  read -r code _ <&3
  [ "$code" != 0 ] || exec cat <&3
  if [ -n "$code" ]; then
    cat <&3 >&2
    exit "$code"
  fi
fi
exec {python} "$@"
"""


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
    _write_aws(programs / "aws", surroundings)
    _write(programs / "npm", shlex.join([*_module("scaffold.engine.builds.npm"), str(settings)]))
    _write(programs / "pip3", shlex.join([*_module("scaffold.engine.builds.pip"), str(settings)]))
    for name in ("python3", "python"):
        _write(programs / name, shlex.quote(sys.executable))
    if found := node():
        _write(programs / "node", shlex.quote(found))
    return programs


def _write_aws(path: Path, surroundings: Surroundings) -> None:
    known = surroundings.variables["PATH"]
    if surroundings.aws is None:
        _write(path, shlex.join(aws_program(known)))
    else:
        _write_text(path, aws_client(surroundings.aws.port, shutil.which("bash", path=known)))


def aws_client(port: int, bash: str | None) -> str:
    """The program that makes AWS calls through the server at a port.

    Args:
        bash: The bash of this machine, if it has one.
    """
    python = shlex.join([sys.executable, "-I", "-S", _AWS_CLIENT, str(port)])
    if bash is None or " " in bash:
        return _SH.format(command=python)
    return _BASH_CLIENT.format(bash=bash, port=port, python=python)


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
    _write_text(path, _SH.format(command=command))


def _write_text(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o755)
