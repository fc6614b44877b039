"""A push on local AWS with podman: the image is really built, and its container answers."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from urllib.request import ProxyHandler, build_opener

import pytest

from scaffold.engine.containers.choice import DOCKER, PODMAN
from tests.conftest import isolated
from tests.engine.containers.conftest import Containers
from tests.engine.images.conftest import PACKAGE, write_app
from tests.kits import generate

BIN = Path(sys.executable).parent
GET = build_opener(ProxyHandler({})).open
# The kit's configuration and a server of Node alone: no registry of packages is needed.
MAIN = """
import { createServer } from 'node:http';
import { existsSync, writeFileSync } from 'node:fs';
import { loadConfig } from './config.js';
const { port, version, environment } = loadConfig();
let readOnly = false;
try { writeFileSync('/app/written', ''); } catch (error) { readOnly = error.code === 'EROFS'; }
const npm = existsSync('/usr/local/bin/npm');
const body = { version, environment, user: process.getuid(), readOnly, npm };
const server = createServer((request, response) => response.end(JSON.stringify(body)));
server.listen(port, () => console.log('listening'));
process.on('SIGTERM', () => server.close(() => process.exit(0)));
"""


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("engine_name", [PODMAN, DOCKER], indirect=True)
def test_a_push_reaches_an_answering_container(containers: Containers, tmp_path: Path) -> None:
    """The generated Dockerfile, scripts, buildspec and task definition, with an application without dependencies."""
    service = generate(tmp_path / "service", app_name="contained", environments="dev,live")
    shutil.rmtree(service / "app/test")  # It needs packages.
    write_app(service / "app")
    (service / "app/src/main.js").write_text(MAIN)
    (service / "app/package.json").write_text(json.dumps(PACKAGE))
    environment = isolated(tmp_path) | containers.aws.variables
    environment["PATH"] = os.pathsep.join([str(BIN), environment["PATH"]])

    def run(*command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(command, cwd=service, env=environment, capture_output=True, text=True, check=False)

    identity = ("-c", "user.name=dev", "-c", "user.email=dev@example.com")
    for command in (("init", "--quiet", "--initial-branch=main"), ("add", "--all"), ("commit", "--quiet", "-m", "a")):
        done = run("git", *identity, *command)
        assert done.returncode == 0, done.stderr

    def asked(name: str) -> str:
        """The version of the environment, whose container answers with it."""
        environments = json.loads(run("scaffold", "status", "--json").stdout)["environments"]
        (found,) = [one for one in environments if one["name"] == name]
        assert not found["image"]["stand_in"]
        with GET(found["url"], timeout=20) as answer:
            body = json.loads(answer.read())
        version: str = body.pop("version")
        assert body == {"environment": name, "user": 1000, "readOnly": True, "npm": False}
        assert version == found["version"]
        return version

    done = run("scaffold", "deploy", "--wait", "--json")
    assert done.returncode == 11, done.stdout + done.stderr  # It waits for the approval of production.
    waiting = json.loads(done.stdout)["release"]
    version = asked("dev")
    assert len(version) == 16
    for command in (("approve", "--yes", "--execution", waiting["execution"]), ("deploy", "--wait")):
        done = run("scaffold", *command)
        assert done.returncode == 0, done.stdout + done.stderr
    assert asked("live") == version
