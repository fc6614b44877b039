"""A local AWS with podman, whose storage has a base image made on the spot."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from scaffold.engine.containers.podman import NoEngine, Podman, find
from scaffold.local.environment import LocalAws, running_local_aws
from scaffold.local.folder import CONTAINERS
from tests.engine.containers import base_image

_DOCKERFILE = Path(__file__).resolve().parents[3] / "template" / "app" / "Dockerfile"


@dataclass
class Containers:
    """A local AWS, and the podman that it uses."""

    aws: LocalAws
    podman: Podman


@pytest.fixture(scope="session")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The archive of a base image. Where podman cannot be used, the test is skipped; in CI it fails."""
    folder = tmp_path_factory.mktemp("base")
    try:
        find("podman", folder / "probe", os.environ["PATH"], {})
    except NoEngine as error:
        if os.environ.get("CI"):
            pytest.fail(f"CI needs a container engine: {error}")
        pytest.skip(f"without a container engine: {error}")
    base_image.write(folder / "base.tar")
    return folder / "base.tar"


@pytest.fixture(scope="module")
def containers(base: Path) -> Iterator[Containers]:
    """A local AWS with podman, which has the base image of the kit's Dockerfile."""
    with running_local_aws(runs=True, speed=100, containers="podman") as aws:
        folder = Path(aws.variables["AWS_CONFIG_FILE"]).parent / CONTAINERS
        podman = Podman(shutil.which("podman") or "", folder)
        podman.run("import", "--change", "ENV PATH=/usr/local/bin:/usr/bin:/bin", base, base_name())
        yield Containers(aws, podman)


def base_name() -> str:
    """The name of the base image in the kit's Dockerfile."""
    found = re.search(r"^ARG BASE_IMAGE=(\S+)$", _DOCKERFILE.read_text(), re.MULTILINE)
    assert found
    return found[1]
