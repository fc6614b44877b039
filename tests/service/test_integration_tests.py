"""The integration tests of a service run against an environment, are reported, and get nothing but its address."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from tests.service.conftest import machine_environment, serving

FOLDER = "config/tests/integration"
FAILING = """\
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { describe, it } from 'node:test';
it('compares', () => assert.deepEqual({ a: 1 }, { a: 2 }));
describe('orders', () => it('are listed', () => { throw new Error('no "orders" <here>\\nat all'); }));
it('works', () => writeFileSync('variables.json', JSON.stringify(process.env)));
"""
# It leaves a process that keeps a pipe open.
LEAVING = """\
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { it } from 'node:test';
it('leaves a process', async () => {
  const script = 'exec 3>"$0"; echo up; exec sleep 1000';
  const left = spawn('sh', ['-c', script, 'PIPE'], { stdio: ['ignore', 'pipe', 'ignore'] });
  await once(left.stdout, 'data');
  left.stdout.destroy();
  left.unref();
});
"""
HANGING = "import { it } from 'node:test';\nit('hangs', () => new Promise((end) => setTimeout(end, 1e8)));\n"


@contextmanager
def environment(*versions: str) -> Iterator[str]:
    """A service that returns these versions in turn; its URL."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(200)
            self.end_headers()
            version = versions[len(asked) % len(versions)]
            self.wfile.write(json.dumps({"version": version, "environment": "dev"}).encode())

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with serving(Handler) as url:
        yield url


def run(service: Path, url: str, *words: str, version: str = "new", **more: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, service / "config/scripts/integration_tests.py", service / "reports/junit.xml", *words]
    given = {"SERVICE_URL": url, "EXPECTED_VERSION": version, "ENVIRONMENT_NAME": "dev", **more}
    return subprocess.run(
        list(map(str, command)),
        cwd=service.parent,
        env={"PATH": machine_environment()["PATH"], **given},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def write(service: Path, name: str, text: str) -> None:
    (service / FOLDER / name).write_text(text)


def report(service: Path) -> dict[str, str | None]:
    """The tests of the report, each with the reason if it was skipped or has failed."""
    root = ElementTree.parse(service / "reports/junit.xml").getroot()
    # CodeBuild reads testsuites/testsuite/testcase and ignores a test outside of a suite.
    assert (root.tag, {child.tag for child in root}) == ("testsuites", {"testsuite"})
    return {
        str(test.get("name")): next((str(one.get("message")) for one in test), None) for test in root.iter("testcase")
    }


def test_the_sample_passes_for_the_deployed_version_and_no_process_is_left(service: Path, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    write(service, "leaving.test.mjs", LEAVING.replace("PIPE", str(pipe)))
    with environment("new") as url:
        done = run(service, f"{url}/")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.endswith("Integration tests passed: 2.\n")
    assert len(report(service)) == 2
    assert set(report(service).values()) == {None}

    def ended() -> bool:
        try:
            return os.read(reader, 1) == b""
        except BlockingIOError:
            return False

    end = time.monotonic() + 60
    while not ended():
        assert time.monotonic() < end, "the process still runs"
        time.sleep(0.05)
    os.close(reader)


def test_failed_tests_are_reported_and_named_last_with_the_first_line_of_their_reasons(service: Path) -> None:
    write(service, "failing.test.mjs", FAILING)
    write(service, "broken.test.js", "no javascript(\n")
    write(service, "helper.mjs", "no test of its own(\n")
    secret = {"AWS_SECRET_ACCESS_KEY": "s3cret", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": "/v2", "NODE_OPTIONS": ""}
    with environment("new", "old") as url:
        done = run(service, url, CODEBUILD_BUILD_ID="tests:1", **secret)
    assert done.returncode == 1
    *failed, last = done.stderr.splitlines()
    assert sorted(failed) == [
        "Failed: answers requests that arrive together, all with the deployed version: "
        "Expected values to be strictly deep-equal:",
        'Failed: are listed: no "orders" <here>',
        "Failed: compares: Expected values to be strictly deep-equal:",
        f"Failed: {FOLDER}/broken.test.js: test failed",
    ]
    assert last == "Integration tests failed: 4 of 5."
    reasons = report(service)
    assert reasons["works"] is None
    assert len([reason for reason in reasons.values() if reason]) == 4
    variables = json.loads((service / "variables.json").read_text())
    given = {"SERVICE_URL": url, "EXPECTED_VERSION": "new", "ENVIRONMENT_NAME": "dev"}
    assert {name: variables[name] for name in given} == given
    assert not [name for name in variables if name.startswith(("AWS_", "CODEBUILD_", "NODE_OPTIONS"))]


def test_tests_that_do_not_end_fail(service: Path) -> None:
    write(service, "hanging.test.mjs", HANGING)
    done = run(service, "http://127.0.0.1:9", "--seconds", "0.5")
    reason = "they did not end within 0.5 s"
    assert (done.returncode, done.stderr) == (1, f"Integration tests failed: {reason}.\n")
    assert report(service) == {"integration tests": reason}


@pytest.mark.parametrize("left", ["nothing", "other files", "packages"])
def test_no_tests_pass_and_say_so(service: Path, left: str) -> None:
    (service / FOLDER / "service.test.mjs").unlink()
    if left == "nothing":
        (service / FOLDER / "environment.mjs").unlink()
        (service / FOLDER).rmdir()
    if left == "packages":
        (service / FOLDER / "node_modules").mkdir()
        write(service, "node_modules/package.test.js", "no javascript(\n")
    done = run(service, "http://127.0.0.1:9")
    reason = f"no file in {FOLDER} is named *.test.js, *.test.mjs, *.test.ts"
    assert (done.returncode, done.stdout, done.stderr) == (0, f"No integration tests: {reason}.\n", "")
    assert report(service) == {"no integration tests": reason}


def test_without_node_they_fail(service: Path, tmp_path: Path) -> None:
    done = run(service, "http://127.0.0.1:9", PATH=str(tmp_path))
    reason = "they need Node.js 22 or later, which is not installed"
    assert (done.returncode, done.stderr) == (1, f"Integration tests failed: {reason}.\n")
    assert report(service) == {"integration tests": reason}


@pytest.mark.parametrize(("url", "version"), [("", "1"), ("ftp://x", "1"), ("http://x", "")])
def test_missing_variables_are_a_usage_error(service: Path, url: str, version: str) -> None:
    done = run(service, url, version=version)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "Set SERVICE_URL (http://... or https://...) and EXPECTED_VERSION.\n"
