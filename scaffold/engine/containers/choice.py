"""Which container engine a local AWS uses."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scaffold.engine.containers import daemon, leftovers, podman_setup
from scaffold.engine.containers.container_engine import ContainerEngine, NoEngine
from scaffold.engine.containers.daemon import Docker
from scaffold.engine.containers.podman import Podman

#: The choices of a container engine.
AUTOMATIC, DOCKER, PODMAN, NONE = "", "docker", "podman", "none"

_ENGINES: dict[str, Callable[[Path, str, Mapping[str, str], str], ContainerEngine]] = {
    DOCKER: daemon.prepare,
    PODMAN: podman_setup.prepare,
}
_TYPES: dict[str, type[ContainerEngine]] = {DOCKER: Docker, PODMAN: Podman}


@dataclass(frozen=True)
class Choice:
    """The engine that a local AWS uses.

    Attributes:
        engine: None for none.
        reason: Why there is none.
    """

    engine: ContainerEngine | None
    reason: str = ""


def find(choice: str, folder: Path, path: str, downloads: Mapping[str, str], docker_host: str = "") -> Choice:
    """Find a container engine, and prepare its folder.

    Args:
        choice: AUTOMATIC for the first one that works, NONE for none; another one is required.
        folder: Where its storage and settings go.
        path: The PATH to search.
        downloads: Environment variables with which this machine reaches registries.
        docker_host: The socket of a Docker daemon, as DOCKER_HOST has it.

    Raises:
        NoEngine: It is required, and does not work.
    """
    if choice == NONE:
        return Choice(None, "none is wanted")
    reasons = []
    for name, prepare in _ENGINES.items():
        if choice in (AUTOMATIC, name):
            try:
                return Choice(prepare(folder, path, downloads, docker_host))
            except NoEngine as error:
                leftovers.remove(folder)
                if choice != AUTOMATIC:
                    raise
                reasons.append(str(error))
    return Choice(None, "; ".join(reasons))


def from_document(document: Mapping[str, Any]) -> ContainerEngine:
    """The engine that `ContainerEngine.document` has described."""
    properties = {key: value for key, value in document.items() if key != "name"}
    return _TYPES[document["name"]](**{**properties, "folder": Path(document["folder"])})
