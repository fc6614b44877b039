"""Creates containers of tasks with podman, from the definitions of containers."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from scaffold.engine.containers.podman import Podman, PodmanFailed, limits
from scaffold.engine.tasks.containers import STOP_SECONDS, check, health_check
from scaffold.engine.tasks.images import CannotStart
from scaffold.engine.tasks.processes import Container, Program


def create(podman: Podman, name: str, container: dict[str, Any], image: str, variables: dict[str, str]) -> Program:
    """Create a container, and return what starts it.

    Args:
        name: The container's name.
        container: The container's definition.
        image: The image's name in podman's storage.
        variables: Variables that ECS sets, and secrets.

    Raises:
        CannotStart: The definition has something that is not rehearsed, or podman refuses it.
    """
    check(container)
    environment = {one["name"]: one.get("value", "") for one in container.get("environment", [])} | variables
    # Not on the command line, which other users of this machine can read. A file cannot have values of several lines;
    # podman takes those from its own environment.
    in_file = {key: value for key, value in environment.items() if "\n" not in value}
    several = {key: value for key, value in environment.items() if key not in in_file}
    with tempfile.NamedTemporaryFile("w", dir=podman.folder / "tmp") as file:
        file.writelines(f"{key}={value}\n" for key, value in in_file.items())
        file.flush()
        options = [f"--env-file={file.name}", *(f"--env={key}" for key in several), *_options(container)]
        command = ["create", "--name", name, *options, image, *container.get("command", [])]
        try:
            podman.run(*command, variables=several)
        except PodmanFailed as error:
            raise CannotStart(f"CannotStartContainerError: {error}") from error
    stop_timeout = float(container.get("stopTimeout", STOP_SECONDS))
    program = podman.program
    return Program(
        command=[program, "start", "--attach", "--sig-proxy=false", name],
        environment=podman.environment,
        folder=str(Path(podman.folder)),
        stop_timeout=stop_timeout,
        health=health_check(container.get("healthCheck"), lambda words: [program, "exec", name, *words]),
        container=Container(
            prepare=[program, "init", name],
            stop=[program, "stop", "--time", str(round(stop_timeout)), name],
            remove=[program, "rm", "--force", "--time", "0", name],
        ),
    )


def _options(container: dict[str, Any]) -> Iterator[str]:
    # The network is that of the process that starts the container: it has a namespace of its own.
    yield from ("--network=host", "--http-proxy=false", "--log-driver=none", "--read-only-tmpfs=false")
    if container.get("readonlyRootFilesystem"):
        yield "--read-only"
    for key, option in (("user", "user"), ("workingDirectory", "workdir"), ("hostname", "hostname")):
        if container.get(key):
            yield f"--{option}={container[key]}"
    if container.get("entryPoint"):
        yield f"--entrypoint={json.dumps(container['entryPoint'])}"
    given = {one["name"]: f"{one['softLimit']}:{one['hardLimit']}" for one in container.get("ulimits", [])}
    for key, limit in {**limits(), **given}.items():  # One that is given makes podman forget its other defaults.
        yield f"--ulimit={key}={limit}"
    parameters = container.get("linuxParameters") or {}
    if parameters.get("initProcessEnabled"):
        yield "--init"
    for key in ("add", "drop"):
        for capability in (parameters.get("capabilities") or {}).get(key, []):
            yield f"--cap-{key}={capability}"
    for key, value in (container.get("dockerLabels") or {}).items():
        yield f"--label={key}={value}"
