"""A small service in an image of its own making, in local AWS's registry."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from typing import Any
from urllib.request import ProxyHandler, Request, build_opener

SERVER = """
const http = require('node:http');
const version = process.env.APP_VERSION ?? 'none';
if (process.env.FAIL === 'exit') { console.log('cannot start'); process.exit(3); }
let healthy = process.env.FAIL !== 'unhealthy';
const server = http.createServer((request, response) => {
  if (request.url === '/health') { response.writeHead(healthy ? 200 : 500); response.end('{}'); return; }
  if (process.env.FAIL === 'errors') { response.writeHead(500); response.end('{}'); return; }
  if (request.url === '/crash') { response.end('bye'); setTimeout(() => process.exit(7), 20); return; }
  if (request.url === '/environment') { response.end(JSON.stringify(process.env)); return; }
  if (request.url === '/headers') { response.end(JSON.stringify(request.headers)); return; }
  if (request.url === '/error') { response.writeHead(500); response.end(version); return; }
  if (request.url === '/slow') { setTimeout(() => response.end(version), 1500); return; }
  if (request.url === '/aws') {
    http.get(process.env.AWS_ENDPOINT_URL + '/_ministack/health', (answer) => response.end(`${answer.statusCode}`))
      .on('error', (error) => response.end(error.code));
    return;
  }
  response.end(version);
});
server.keepAliveTimeout = 65000;
server.listen(process.env.PORT ?? 8080, () => console.log(`version ${version} listens`));
process.on('SIGTERM', () => {
  if (process.env.FAIL === 'stubborn') return;
  console.log('stopping');
  server.close(() => process.exit(0));
});
"""


def layer(files: dict[str, str]) -> bytes:
    """A layer with these files."""
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as archive:
        for name, text in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(text.encode())
            archive.addfile(entry, io.BytesIO(text.encode()))
    return gzip.compress(content.getvalue())


def digest_of(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


class Registry:
    """The registry of a local AWS."""

    def __init__(self, endpoint: str) -> None:
        self._endpoint = endpoint
        self._open = build_opener(ProxyHandler({})).open

    def _put(self, path: str, content: bytes, kind: str, method: str = "PUT") -> None:
        url = f"{self._endpoint}/v2/{path}"
        request = Request(url, content, {"Content-Type": kind}, method=method)
        with self._open(request, timeout=30) as answer:
            assert answer.status in (201, 202)

    def push(self, repository: str, *layers: bytes, **config: Any) -> str:
        """Push an image; return its name with its digest."""
        described = {"Labels": {"io.gitops-scaffold.process": "node"}, "WorkingDir": "/app", **config}
        blob = json.dumps({"architecture": "amd64", "os": "linux", "config": described}).encode()
        for one in (blob, *layers):
            path = f"{repository}/blobs/uploads/?digest={digest_of(one)}"
            self._put(path, one, "application/octet-stream", "POST")
        kind = "application/vnd.docker.distribution.manifest.v2+json"
        manifest = {
            "schemaVersion": 2,
            "mediaType": kind,
            "config": {
                "mediaType": "application/vnd.docker.container.image.v1+json",
                "size": len(blob),
                "digest": digest_of(blob),
            },
            "layers": [
                {
                    "mediaType": "application/vnd.docker.image.rootfs.diff.tar.gzip",
                    "size": len(one),
                    "digest": digest_of(one),
                }
                for one in layers
            ],
        }
        body = json.dumps(manifest).encode()
        self._put(f"{repository}/manifests/{digest_of(body)}", body, kind)
        return f"000000000000.dkr.ecr.us-east-1.amazonaws.com/{repository}@{digest_of(body)}"

    def push_server(self, repository: str, **config: Any) -> str:
        """Push the image of the service."""
        command = {"Entrypoint": ["node", "src/main.js"], "Env": ["NODE_ENV=production"]}
        return self.push(repository, layer({"app/src/main.js": SERVER}), **{**command, **config})
