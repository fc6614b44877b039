"""The `docker` of builds, without a build around it, and with a registry that is local AWS's."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from jinja2 import Environment

from scaffold.local.environment import local_aws
from tests.fork_server import programs

ROOT = Path(__file__).resolve().parents[3]
Docker = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="session")
def local() -> Iterator[dict[str, str]]:
    """The environment variables of a local AWS."""
    with local_aws() as variables:
        yield variables


@pytest.fixture(scope="session")
def program() -> Iterator[Path]:
    """The program, in forks of a process that has imported it."""
    with programs(docker="scaffold.engine.images.docker:main") as folder:
        yield folder / "docker"


@pytest.fixture
def docker(tmp_path: Path, program: Path, request: pytest.FixtureRequest) -> Docker:
    """Runs `docker`."""
    folder = tmp_path / "build" / "docker"
    folder.mkdir(parents=True)
    local: dict[str, str] = request.getfixturevalue("local") if "local" in request.fixturenames else {}
    endpoint = local.get("AWS_ENDPOINT_URL", "")
    folder.joinpath("settings.json").write_text(
        json.dumps({"endpoint": endpoint, "downloads": {}, "path": os.environ["PATH"]})
    )

    if local:
        login = {"000000000000.dkr.ecr.us-east-1.amazonaws.com": "QVdTOnBhc3N3b3Jk"}
        folder.joinpath("logins.json").write_text(json.dumps(login))

    def run(*words: str | Path, given: str = "") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [program, str(folder), *map(str, words)],
            cwd=tmp_path,
            input=given,
            capture_output=True,
            text=True,
            check=False,
        )

    return run


# The kit's own Dockerfile, for an application without dependencies.
PACKAGE = {
    "name": "app",
    "version": "0.0.0",
    "private": True,
    "type": "module",
    # A link: what is installed without a registry.
    "dependencies": {"thing": "file:thing"},
    "scripts": {
        "lint": "node --check src/main.js",
        "test:report": "mkdir -p reports && node --test --test-reporter=junit "
        "--test-reporter-destination=reports/junit.xml test/*.test.js",
    },
}
LOCK = {
    "name": "app",
    "version": "0.0.0",
    "lockfileVersion": 3,
    "requires": True,
    "packages": {
        "": {"name": "app", "version": "0.0.0", "dependencies": {"thing": "file:thing"}},
        "thing": {"version": "1.0.0"},
        "node_modules/thing": {"resolved": "thing", "link": True},
    },
}
TEST = "import { it } from 'node:test';\nit('works', () => { if (CONDITION) throw new Error('broken'); });\n"


def write_app(folder: Path, broken: bool = False) -> Path:
    """Write a small application whose tests pass, or fail."""
    kit = ROOT / "template/app"
    for name, text in {
        "Dockerfile": Environment(trim_blocks=True, keep_trailing_newline=True)
        .from_string((kit / "Dockerfile.jinja").read_text())
        .render(port=8080, database="none", environment_settings=[{"scratch_gib": 0}]),
        ".dockerignore": (kit / ".dockerignore").read_text(),
        ".npmrc": (kit / ".npmrc").read_text(),
        "package.json": json.dumps(PACKAGE),
        "package-lock.json": json.dumps(LOCK),
        "src/main.js": "console.log('started', process.cwd());\n",
        "test/app.test.js": TEST.replace("CONDITION", str(broken).lower()),
    }.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder
