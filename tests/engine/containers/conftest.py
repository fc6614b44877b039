"""A local AWS with each container engine, which has a base image made on the spot."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import pytest

from scaffold.engine.containers import leftovers
from scaffold.engine.containers.choice import DOCKER, PODMAN, find, from_document
from scaffold.engine.containers.container_engine import ContainerEngine, NoEngine
from scaffold.local.environment import LocalAws, running_local_aws
from scaffold.local.folder import CONTAINERS
from tests.engine.containers import base_image, docker_daemon

_DOCKERFILE = Path(__file__).resolve().parents[3] / "template" / "app" / "Dockerfile.jinja"


@dataclass
class Containers:
    """A local AWS, and the container engine that it uses."""

    aws: LocalAws
    engine: ContainerEngine


@pytest.fixture(scope="session")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The archive of a base image."""
    archive = tmp_path_factory.mktemp("base") / "base.tar"
    base_image.write(archive)
    return archive


@pytest.fixture(scope="session")
def docker_host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The socket of a Docker daemon. Where none can be started, the test is skipped, in CI too."""
    with ExitStack() as started:
        try:
            host = started.enter_context(docker_daemon.running(tmp_path_factory.mktemp("docker")))
        except docker_daemon.NoDaemon as error:
            pytest.skip(f"without a Docker daemon: {error}")
        yield host


@pytest.fixture(scope="module", params=[DOCKER, PODMAN])
def engine_name(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A container engine that works. Where it does not, the test is skipped; in CI it fails without podman."""
    name: str = request.param
    with pytest.MonkeyPatch.context() as patch:
        if name == DOCKER:
            patch.setenv("DOCKER_HOST", request.getfixturevalue("docker_host"))
        probe = tmp_path_factory.mktemp("probe") / "containers"
        try:
            find(name, probe, os.environ["PATH"], {}, os.environ.get("DOCKER_HOST", ""))
        except NoEngine as error:
            if name == DOCKER:
                pytest.skip(f"without a Docker daemon that can be used: {error}")
            missing(str(error))
        leftovers.remove(probe)
        yield name


def missing(reason: str) -> NoReturn:
    """Skip the test for want of podman; in CI, let it fail."""
    if os.environ.get("CI"):
        pytest.fail(f"CI needs podman: {reason}")
    pytest.skip(f"without podman: {reason}")


@pytest.fixture(scope="module")
def containers(engine_name: str, base: Path) -> Iterator[Containers]:
    """A local AWS with a container engine, which has the base image of the kit's Dockerfile."""
    with running_local_aws(runs=True, speed=100, containers=engine_name) as aws:
        engine = engine_of(engine_name, aws)
        engine.run("import", "--change", "ENV PATH=/usr/local/bin:/usr/bin:/bin", base, base_name())
        yield Containers(aws, engine)


def engine_of(name: str, aws: LocalAws) -> ContainerEngine:
    """The container engine of a local AWS."""
    folder = Path(aws.variables["AWS_CONFIG_FILE"]).parent / CONTAINERS
    host = {"host": os.environ["DOCKER_HOST"]} if name == DOCKER else {}
    return from_document({"name": name, "program": shutil.which(name), "folder": str(folder), **host})


def base_name() -> str:
    """The name of the base image in the kit's Dockerfile."""
    found = re.search(r"^ARG BASE_IMAGE=(\S+)$", _DOCKERFILE.read_text(), re.MULTILINE)
    assert found
    return found[1]
