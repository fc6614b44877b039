"""Services whose release takes little time, and `scaffold rehearse` as a process of its own."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from scaffold.core.git import git
from tests.cli.running import COMMAND, ROOT
from tests.deploy.services import commit
from tests.kits import generate

DOCKERFILE = """\
# tests: none
ARG BASE_IMAGE=public.ecr.aws/docker/library/node:24.21.0-trixie-slim
FROM ${BASE_IMAGE} AS service
WORKDIR /app
COPY src ./src
USER 1000:1000
EXPOSE 8080
ENTRYPOINT ["node", "src/main.mjs"]
"""
APPLICATION = """\
import { createServer } from 'node:http';
const { APP_VERSION: version, APP_ENVIRONMENT: environment, PORT = '8080' } = process.env;
const server = createServer((request, response) => response.end(JSON.stringify({ version, environment })));
server.listen(Number(PORT));
process.on('SIGTERM', () => server.close(() => process.exit(0)));
"""


def small_service(root: Path, application: str = APPLICATION, *, source_gate: bool = False, **answers: Any) -> Path:
    """A committed service of the kit whose application needs no packages.

    Its smoke test is short, and it has no integration tests. Without `source_gate`, no tools are installed for it.
    """
    generate(root, **{"environments": "live", "scan_gate": "off", **answers})
    for path in (root / "app", root / "config" / "tests" / "integration"):
        shutil.rmtree(path)
    smoke_test = root / "config" / "scripts" / "smoke_test.py"
    shorter = smoke_test.read_text().replace("default=0.25,", "default=0.1,").replace("default=300,", "default=30,")
    assert shorter.count("default=0.1,") == shorter.count("default=30,") == 1
    smoke_test.write_text(shorter)
    if not source_gate:
        (root / "config" / "scripts" / "source_gate.py").write_text("")
    git("init", "-q", "-b", "main", cwd=root)
    (root / "app" / "src").mkdir(parents=True)
    (root / "app" / "Dockerfile").write_text(DOCKERFILE)
    (root / "app" / "src" / "main.mjs").write_text(application)
    commit(root)
    return root


def rehearse(root: Path, *options: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Rehearse, with what the process prints."""
    return subprocess.run(
        [*COMMAND, "rehearse", *map(os.fspath, options)],
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=570,
        check=False,
    )


def result_of(root: Path, code: int, *options: str | Path, **environment: str) -> dict[str, Any]:
    """The document of a rehearsal with `--json` that ends with an exit code."""
    done = rehearse(root, "--json", *options, **environment)
    assert done.returncode == code, (done.returncode, done.stdout, done.stderr)
    document: dict[str, Any] = json.loads(done.stdout)
    return document


def statuses(document: dict[str, Any]) -> dict[str, str | None]:
    """The status of each stage."""
    return {stage["name"]: stage["status"] for stage in document["stages"]}


@contextmanager
def trap() -> Iterator[tuple[str, list[str]]]:
    """A port of this machine in place of AWS, a proxy and a registry, and who has connected to it by the end."""
    connections: list[str] = []
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield f"127.0.0.1:{listening.getsockname()[1]}", connections
        # The system has completed the connections of others already.
        listening.setblocking(False)
        with suppress(BlockingIOError):
            while True:
                connection, address = listening.accept()
                connection.close()
                connections.append(str(address))
