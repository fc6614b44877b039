"""Creates containers of tasks with a container engine, from the definitions of containers."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any

from scaffold.engine.containers.container_engine import ContainerEngine, EngineFailed
from scaffold.engine.containers.limits import limits
from scaffold.engine.tasks.containers import STOP_SECONDS, check, health_check, mounts
from scaffold.engine.tasks.images import CannotStart
from scaffold.engine.tasks.processes import Program


def create(
    engine: ContainerEngine,
    name: str,
    container: dict[str, Any],
    image: str,
    variables: dict[str, str],
    volumes: Sequence[dict[str, Any]] = (),
) -> Program:
    """Create a container, and return what starts it.

    Args:
        name: The container's name.
        container: The container's definition.
        image: The image's name in the engine's storage.
        variables: Variables that ECS sets, and secrets.
        volumes: Those of the task definition.

    Raises:
        CannotStart: The definition has something that is not rehearsed, or the engine refuses it.
    """
    check(container, volumes)
    environment = {one["name"]: one.get("value", "") for one in container.get("environment", [])} | variables
    # Not on the command line, which other users of this machine can read. A file cannot have values of several lines;
    # the engine takes those from its own environment.
    in_file = {key: value for key, value in environment.items() if "\n" not in value}
    several = {key: value for key, value in environment.items() if key not in in_file}
    with tempfile.NamedTemporaryFile("w", dir=engine.folder / "tmp") as file:
        file.writelines(f"{key}={value}\n" for key, value in in_file.items())
        file.flush()
        try:
            own, words = engine.task_options(name, container.get("hostname", ""), container.get("entryPoint", []))
            options = [f"--env-file={file.name}", *(f"--env={key}" for key in several), *own, *_options(container)]
            options += [f"--volume={place}" for place in mounts(container, volumes)]
            command = ["create", "--name", name, *options, image, *words, *container.get("command", [])]
            engine.run(*command, variables=several)
            created = engine.container(name, round(float(container.get("stopTimeout", STOP_SECONDS))))
        except EngineFailed as error:
            with suppress(EngineFailed):
                engine.discard(name)
            raise CannotStart(f"CannotStartContainerError: {error}") from error
    stop_timeout = float(container.get("stopTimeout", STOP_SECONDS))
    return Program(
        command=created.start,
        environment=engine.environment,
        folder=str(engine.folder),
        stop_timeout=stop_timeout,
        health=health_check(container.get("healthCheck"), lambda words: [*created.inside, *words]),
        container=created,
    )


def _options(container: dict[str, Any]) -> Iterator[str]:
    if container.get("readonlyRootFilesystem"):
        yield "--read-only"
    for key, option in (("user", "user"), ("workingDirectory", "workdir")):
        if container.get(key):
            yield f"--{option}={container[key]}"
    given = {one["name"]: f"{one['softLimit']}:{one['hardLimit']}" for one in container.get("ulimits", [])}
    for key, limit in {**limits(), **given}.items():  # One that is given makes an engine forget its other defaults.
        yield f"--ulimit={key}={limit}"
    parameters = container.get("linuxParameters") or {}
    if parameters.get("initProcessEnabled"):
        yield "--init"
    for key in ("add", "drop"):
        for capability in (parameters.get("capabilities") or {}).get(key, []):
            yield f"--cap-{key}={capability}"
    for key, value in (container.get("dockerLabels") or {}).items():
        yield f"--label={key}={value}"
