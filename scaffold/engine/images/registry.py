"""Pushes images to the registry of local AWS, and reads what is in it, by the OCI distribution API."""

from __future__ import annotations

import http.client
import json
import re
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterable, Mapping
from typing import Any

from scaffold.core.loopback import direct_opener
from scaffold.engine.images.needs_engine import BuildFailed, NeedsEngine
from scaffold.engine.images.tree import Tree, compress, digest, pack

_HOST = re.compile(r"\d{12}\.dkr\.ecr\.[a-z0-9-]+\.amazonaws\.com(\.cn)?")
_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
_CONFIG = "application/vnd.docker.container.image.v1+json"
_LAYER = "application/vnd.docker.image.rootfs.diff.tar.gzip"


def is_local(name: str) -> bool:
    """Whether an image belongs to an ECR registry, for which local AWS answers."""
    return bool(_HOST.fullmatch(name.partition("/")[0]))


class Repository:
    """A repository of local AWS.

    Args:
        endpoint: The address of local AWS.
        name: The image's name: the host of an ECR registry, and the repository.
        tokens: Authorization tokens by the hosts of registries.

    Raises:
        NeedsEngine: It belongs to another registry.
        BuildFailed: Nobody has signed in to the registry.
    """

    def __init__(self, endpoint: str, name: str, tokens: Mapping[str, str]) -> None:
        host, _, repository = name.partition("/")
        if not is_local(name):
            raise NeedsEngine(f"A push to {host or name}")
        self._base = f"{endpoint}/v2/{repository}"
        self._host = host
        if host not in tokens:
            raise BuildFailed(f"failed to push {name}: no basic auth credentials")
        self._token = tokens[host]

    def push(self, tag: str, tree: Tree, config: dict[str, Any], architecture: str) -> str:
        """Push an image, and return its digest."""
        archives = [pack(tree, layer) for layer in tree.layers]
        document = {
            "architecture": architecture,
            "os": "linux",
            "created": "1970-01-01T00:00:00Z",
            "config": config,
            "rootfs": {"type": "layers", "diff_ids": [digest(archive) for archive in archives]},
            "history": [{"created": "1970-01-01T00:00:00Z", "created_by": layer.made_by} for layer in tree.layers],
        }
        return self.push_layers(tag, json.dumps(document, sort_keys=True).encode(), map(compress, archives))

    def push_layers(self, tag: str, config: bytes, layers: Iterable[bytes]) -> str:
        """Push an image with this configuration and these compressed layers, and return its digest."""
        manifest = {
            "schemaVersion": 2,
            "mediaType": _MANIFEST,
            "config": self._blob(config, _CONFIG),
            "layers": [self._blob(layer, _LAYER) for layer in layers],
        }
        content = json.dumps(manifest, sort_keys=True).encode()
        self._send("PUT", f"/manifests/{tag}", content, _MANIFEST)
        return digest(content)

    def get(self, path: str) -> bytes:
        """A manifest or a blob, by its path in the repository.

        Raises:
            BuildFailed: There is none, or nobody may read it.
        """
        request = urllib.request.Request(  # noqa: S310 (the endpoint of local AWS)
            f"{self._base}{path}?ns={self._host}", headers={"Authorization": f"Basic {self._token}"}
        )
        try:
            with direct_opener().open(request, timeout=60) as answer:
                content: bytes = answer.read()
                return content
        except urllib.error.HTTPError as error:
            with error:
                said = error.read(500).decode(errors="replace")
                raise BuildFailed(f"failed to pull: {error.code} {said}") from error
        except (OSError, http.client.HTTPException) as error:
            raise BuildFailed(f"failed to pull: {error}") from error

    def _blob(self, content: bytes, media_type: str) -> dict[str, Any]:
        found = digest(content)
        if not self._send("HEAD", f"/blobs/{found}"):
            self._send("POST", f"/blobs/uploads/?digest={found}", content, "application/octet-stream")
        return {"mediaType": media_type, "size": len(content), "digest": found}

    def _send(self, method: str, path: str, content: bytes | None = None, media_type: str = "") -> bool:
        """Send a request; false if what it asks for does not exist."""
        query = f"{'&' if '?' in path else '?'}ns={self._host}"
        headers = {"Authorization": f"Basic {self._token}"} | ({"Content-Type": media_type} if media_type else {})
        request = urllib.request.Request(  # noqa: S310 (the endpoint of local AWS)
            f"{self._base}{path}{query}", content, headers, method=method
        )
        try:
            direct_opener().open(request, timeout=60).close()
        except urllib.error.HTTPError as error:
            with error:
                if (method, error.code) == ("HEAD", 404):
                    return False
                raise BuildFailed(f"failed to push: {error.code} {error.read(500).decode(errors='replace')}") from error
        except (OSError, http.client.HTTPException) as error:
            raise BuildFailed(f"failed to push: {error}") from error
        return True
