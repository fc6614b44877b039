"""Moves images between a container engine and the registry of local AWS, as archives of the form of `docker save`.

No engine pushes or pulls by itself: the registry speaks HTTP, which engines refuse until they are told otherwise.
"""

from __future__ import annotations

import gzip
import io
import json
import tarfile
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from scaffold.engine.containers.container_engine import ContainerEngine
from scaffold.engine.images.registry import Repository
from scaffold.engine.images.tree import digest

_GZIP = b"\x1f\x8b"
_FASTEST = 1


def local_name(engine: ContainerEngine, manifest: str) -> str:
    """The name under which the storage has the image with a digest."""
    return engine.own_name(f"localhost/gitops-scaffold/{manifest.partition(':')[2]}:latest")


def push(engine: ContainerEngine, image: str, repository: Repository, tag: str) -> str:
    """Push an image of the storage, and return its digest. Tasks find it in the storage again.

    Raises:
        EngineFailed: There is no such image.
    """
    with tempfile.TemporaryDirectory(dir=engine.folder / "tmp") as folder:
        path = Path(folder, "image.tar")
        engine.save(image, path)
        with tarfile.open(path) as archive:
            (described,) = json.loads(_read(archive, "manifest.json"))
            config = _read(archive, described["Config"])
            layers = (_compressed(_read(archive, name)) for name in described["Layers"])
            pushed = repository.push_layers(tag, config, layers)
    engine.run("tag", image, local_name(engine, pushed))
    return pushed


def load(engine: ContainerEngine, manifest: str, document: dict[str, Any], blob: Callable[[str], bytes]) -> str:
    """Load an image into the storage, unless it is there, and return its name.

    Args:
        manifest: The digest of its manifest.
        document: Its manifest.
        blob: Fetches a blob by its digest.

    Raises:
        EngineFailed: It is not an image.
    """
    name = local_name(engine, manifest)
    if engine.has(name):
        return name
    with tempfile.TemporaryDirectory(dir=engine.folder / "tmp") as folder:
        path = Path(folder, "image.tar")
        with tarfile.open(path, "w") as archive:
            for member, content in _members(name, document, blob):
                entry = tarfile.TarInfo(member)
                entry.size = len(content)
                archive.addfile(entry, io.BytesIO(content))
        engine.run("load", "--quiet", "--input", path)
    return name


def _members(name: str, document: dict[str, Any], blob: Callable[[str], bytes]) -> Iterator[tuple[str, bytes]]:
    config = blob(document["config"]["digest"])
    layers = []
    for layer in document["layers"]:
        content = blob(layer["digest"])
        plain = gzip.decompress(content) if content.startswith(_GZIP) else content
        layers.append(f"{digest(plain).partition(':')[2]}.tar")
        yield layers[-1], plain
    configuration = f"{digest(config).partition(':')[2]}.json"
    yield configuration, config
    described = {"Config": configuration, "RepoTags": [name], "Layers": layers}
    yield "manifest.json", json.dumps([described]).encode()


def _read(archive: tarfile.TarFile, name: str) -> bytes:
    content = archive.extractfile(name)
    if content is None:
        raise ValueError(f"{name} is not a file of the image")
    return content.read()


def _compressed(layer: bytes) -> bytes:
    """A layer as registries keep it. A base image is large, so speed matters more than size."""
    return layer if layer.startswith(_GZIP) else gzip.compress(layer, _FASTEST, mtime=0)
