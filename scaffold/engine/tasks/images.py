"""Pulls images from local AWS's registry: unpacks those that run as processes, loads others into a container engine."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tarfile
import tempfile
import threading
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import Request

from scaffold.core.loopback import direct_opener
from scaffold.core.stand_in import PROCESS_LABEL
from scaffold.engine.containers import archives
from scaffold.engine.containers.container_engine import ContainerEngine, EngineFailed

_MANIFESTS = (
    "application/vnd.docker.distribution.manifest.v2+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.oci.image.index.v1+json",
)
_SECONDS = 60
_HIDDEN, _OPAQUE = ".wh.", ".wh..wh..opq"


class CannotStart(Exception):
    """A task cannot be started. The text is its stopped reason."""


@dataclass(frozen=True)
class Image:
    """An image.

    Attributes:
        root: The folder with its files, where it is unpacked.
        config: The part of its configuration that containers use: Entrypoint, Cmd, Env, WorkingDir and so on.
        container: Its name in the storage of a container engine; empty for an image that runs as a process.
    """

    digest: str
    root: Path
    config: dict[str, Any]
    container: str = ""


@dataclass(frozen=True)
class _Source:
    """A repository in the registry.

    Attributes:
        name: The image's name in the task definition.
        token: The authorization token.
    """

    endpoint: str
    name: str
    repository: str
    token: str

    def manifest(self, reference: str) -> tuple[str, dict[str, Any]]:
        """The digest of an image, and its manifest for Linux."""
        body = self._get(f"/v2/{self.repository}/manifests/{reference}")
        digest = f"sha256:{hashlib.sha256(body).hexdigest()}"
        if reference.startswith("sha256:") and digest != reference:
            raise CannotStart(f"CannotPullContainerError: the manifest of {self.name} has another digest")
        manifest: dict[str, Any] = json.loads(body)
        for entry in manifest.get("manifests", []):
            if entry.get("platform", {}).get("os", "linux") == "linux":
                return self.manifest(entry["digest"])
        return digest, manifest

    def blob(self, digest: str) -> bytes:
        """A layer, or the configuration."""
        body = self._get(f"/v2/{self.repository}/blobs/{digest}")
        if f"sha256:{hashlib.sha256(body).hexdigest()}" != digest:
            raise CannotStart(f"CannotPullContainerError: a layer of {self.name} has another digest")
        return body

    def _get(self, path: str) -> bytes:
        headers = {"Accept": ", ".join(_MANIFESTS)} | ({"Authorization": f"Basic {self.token}"} if self.token else {})
        request = Request(self.endpoint + path, headers=headers)  # noqa: S310
        try:
            with direct_opener().open(request, timeout=_SECONDS) as answer:
                body: bytes = answer.read()
                return body
        except HTTPError as error:
            with error:
                raise CannotStart(f"CannotPullContainerError: {self.name}: {_reason(error)}") from error
        except (URLError, OSError) as error:
            raise CannotStart(f"CannotPullContainerError: {self.name}: the registry does not answer") from error


def _reason(error: HTTPError) -> str:
    if error.code == 403:
        return f"denied: {json.loads(error.read())['errors'][0]['message']}"
    return "not found" if error.code == 404 else f"the registry answers {error.code}"


class Images:
    """The images of one local AWS, each unpacked or loaded once.

    Args:
        endpoint: The URL of local AWS.
        folder: Where images are unpacked.
        engine: Loads images that do not run as processes; without it, they do not run.
    """

    def __init__(self, endpoint: str, folder: Path, engine: ContainerEngine | None = None) -> None:
        self._endpoint = endpoint
        self.folder = folder
        self._engine = engine
        self._lock = threading.Lock()

    def pull(self, name: str, token: str = "") -> Image:
        """Pull an image by the name that a task definition has for it.

        Args:
            token: The authorization token for the registry.

        Raises:
            CannotStart: The image does not exist, or needs a container engine.
        """
        _, _, path = name.partition("/")
        repository, at, reference = path.partition("@")
        if not at:
            repository, _, reference = path.partition(":")
        if not repository:
            raise CannotStart(f"CannotPullContainerError: {name} is not an image of local AWS's registry")
        source = _Source(self._endpoint, name, repository, token)
        digest, manifest = source.manifest(reference or "latest")
        blob = source.blob(manifest["config"]["digest"])
        config: dict[str, Any] = json.loads(blob).get("config") or {}
        if (config.get("Labels") or {}).get(PROCESS_LABEL) != "node":
            if self._engine is not None:
                return Image(digest, self.folder, config, self._load(source, digest, manifest))
            raise CannotStart(
                f"CannotStartContainerError: {name} needs a container engine, which local AWS does not use; "
                f"it runs images with the label {PROCESS_LABEL}=node"
            )
        with self._lock:
            root = self.folder / digest.partition(":")[2]
            if not root.exists():
                self._unpack(source, manifest["layers"], root)
        return Image(digest, root, config)

    def _load(self, source: _Source, digest: str, manifest: dict[str, Any]) -> str:
        assert self._engine is not None  # noqa: S101
        try:
            with self._lock:
                return archives.load(self._engine, digest, manifest, source.blob)
        except EngineFailed as error:
            raise CannotStart(f"CannotPullContainerError: {source.name} cannot be loaded: {error}") from error

    def _unpack(self, source: _Source, layers: list[dict[str, Any]], root: Path) -> None:
        """Unpack the layers to a new folder, which gets its name when it is complete."""
        self.folder.mkdir(parents=True, exist_ok=True)
        unfinished = Path(tempfile.mkdtemp(dir=self.folder))
        try:
            for layer in layers:
                apply_layer(source.blob(layer["digest"]), unfinished)
            unfinished.rename(root)
        except (tarfile.TarError, OSError, ValueError) as error:
            raise CannotStart(f"CannotPullContainerError: {source.name} cannot be unpacked: {error}") from error
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)


def apply_layer(layer: bytes, root: Path) -> None:
    """Unpack a layer over a folder. Nothing is written, deleted or linked to outside of the folder.

    Raises:
        ValueError: A path leads out of the folder.
    """
    with tarfile.open(fileobj=BytesIO(layer)) as archive:
        for member in archive:
            path = _inside(root, member.name)
            if path == root:
                continue
            if path.name == _OPAQUE:
                for entry in list(path.parent.iterdir()) if path.parent.is_dir() else []:
                    _delete(entry)
            elif path.name.startswith(_HIDDEN):
                _delete(path.parent / _hidden_name(path.name))
            elif member.isdir():
                if path.is_symlink() or not path.is_dir():
                    _delete(path)
                path.mkdir(parents=True, exist_ok=True)
            elif member.isfile() or member.issym() or member.islnk():
                _delete(path)
                path.parent.mkdir(parents=True, exist_ok=True)
                _write(archive, member, path, root)
            # Devices and pipes are left out: only root may create them, and no process of an image needs them.


def _write(archive: tarfile.TarFile, member: tarfile.TarInfo, path: Path, root: Path) -> None:
    if member.issym():
        # In a container, / is the image's root, and so is the parent of /. The folder of the link may be a link itself.
        top, folder = os.path.realpath(root), os.path.realpath(path.parent)
        goal = os.path.normpath(os.path.join("/", os.path.relpath(folder, top), member.linkname))  # noqa: PTH118
        path.symlink_to(os.path.relpath(os.path.join(top, goal.lstrip("/")), folder))  # noqa: PTH118
    elif member.islnk():
        original = _inside(root, member.linkname)
        if original.is_symlink() or not original.is_file():
            raise ValueError(f"the link {member.name} leads to no file of the image")
        os.link(original, path)
    else:
        content = archive.extractfile(member)
        with path.open("wb") as written:
            shutil.copyfileobj(content, written)  # type: ignore[arg-type]
        path.chmod(0o755 if member.mode & 0o111 else 0o644)


def _hidden_name(name: str) -> str:
    """The name of what a whiteout deletes."""
    hidden = name[len(_HIDDEN) :]
    if hidden in ("", ".", ".."):
        raise ValueError(f"the whiteout {name} leads out of its folder")
    return hidden


def _inside(root: Path, name: str) -> Path:
    """The path of an entry of the archive. Its parents may be links, but only within the folder."""
    parts = PurePosixPath(name).parts
    if ".." in parts:
        raise ValueError(f"the path {name} leads out of the image")
    path = root.joinpath(*(part for part in parts if part != "/"))
    top, parent = Path(os.path.realpath(root)), Path(os.path.realpath(path.parent))
    if path != root and parent != top and top not in parent.parents:
        raise ValueError(f"the path {name} leads out of the image")
    return path


def _delete(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
