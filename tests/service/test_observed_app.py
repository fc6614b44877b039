"""The application with traces and business metrics: its own tests, lint, lock file, and what its process logs."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import urllib.request
from pathlib import Path

import pytest

from tests.kits import generate
from tests.service.conftest import OFFLINE, machine_environment


@pytest.fixture(scope="module")
def observed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder app of a service."""
    folder = tmp_path_factory.mktemp("observed") / "service"
    return generate(folder, customize=True, observability="standard") / "app"


def test_the_lock_file_is_of_this_package(observed: Path) -> None:
    package, lock = (json.loads((observed / name).read_text()) for name in ("package.json", "package-lock.json"))
    for kind in ("dependencies", "devDependencies", "engines"):
        assert lock["packages"][""][kind] == package[kind]
    versions = {name: one["version"] for name, one in lock["packages"].items() if name}
    assert all(one["integrity"].startswith("sha512-") for name, one in lock["packages"].items() if name)
    for name, version in package["dependencies"].items():
        assert versions[f"node_modules/{name}"] == version
    assert any("opentelemetry" in name for name in package["dependencies"])


@pytest.mark.slow
def test_its_own_tests_pass_and_it_logs_operations_until_its_end(observed: Path) -> None:
    def run(*command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command, cwd=observed, env=machine_environment(), capture_output=True, text=True, check=False
        )

    installed = run("npm", "ci", "--no-audit")
    if installed.returncode and any(word in installed.stderr for word in OFFLINE):
        pytest.skip("the npm registry cannot be reached")
    assert installed.returncode == 0, installed.stderr
    done = run("npm", "test")
    assert done.returncode == 0, done.stdout
    assert "tracing" in done.stdout
    linted = run("npm", "run", "lint")
    assert linted.returncode == 0, linted.stdout

    # The spans have nowhere to go, which neither requests nor the shutdown notice.
    more = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9", "PORT": "0", "DRAIN_SECONDS": "0"}
    command = ["node", "src/main.js"]
    environment = machine_environment(**more, APP_NAME="orders", APP_ENVIRONMENT="live")
    with subprocess.Popen(command, cwd=observed, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        port = json.loads(next(line for line in process.stdout if '"listening"' in line))["port"]
        next(line for line in process.stdout if '"ready"' in line)
        for _ in range(3):
            urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=60).read()
        process.send_signal(signal.SIGTERM)
        lines = [json.loads(line) for line in process.stdout]
        assert process.wait(60) == 0
    (operations,) = [line for line in lines if "_aws" in line]
    assert (operations["operation"], operations["Completed"], operations["Failed"]) == ("greeting", 3, 0)
    assert operations["_aws"]["CloudWatchMetrics"][0]["Namespace"] == "orders"
    requests = [line for line in lines if line["msg"] == "request"]
    assert len({line["trace_id"] for line in requests}) == len({line["requestId"] for line in requests}) == 3
    assert all(re.fullmatch(r"[0-9a-f]{32}", line["trace_id"]) for line in requests)
