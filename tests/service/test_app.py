"""The service's own tests and lint pass, and its process handles signals and health checks as ECS requires."""

from __future__ import annotations

import json
import os
import pty
import re
import shutil
import signal
import subprocess
import sys
import threading
import urllib.error
import urllib.request
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.service.conftest import except_advisory, machine_environment


def npm(app: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = ["npm", "run", "--silent", *words]
    return subprocess.run(command, cwd=app, env=machine_environment(), capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_its_own_tests_pass_and_leave_a_report(app):
    done = npm(app, "test:report")
    assert done.returncode == 0, done.stdout
    report = ElementTree.parse(app / "reports/junit.xml").getroot()
    assert report.tag == "testsuites"
    # CodeBuild reads testsuites/testsuite/testcase and ignores a test outside of a suite.
    assert {child.tag for child in report} == {"testsuite"}
    assert len(report.findall("testsuite/testcase")) >= 30
    assert not report.findall(".//failure")
    assert not report.findall(".//skipped")


@pytest.mark.parametrize(("lint", "tests", "code"), [(0, 0, 0), (2, 0, 2), (0, 1, 1), (2, 1, 2)])
def test_the_image_tests_and_lints_side_by_side(generated, tmp_path, lint, tests, code):
    (tmp_path / "npm").write_text(
        f"#!/bin/sh\n[ $2 != test:report ] || {{ touch begun; exit {tests}; }}\n"
        f"for _ in $(seq 600); do [ ! -e begun ] || exit {lint}; sleep 0.1; done\n"
    )
    (tmp_path / "npm").chmod(0o755)
    lines = (generated / "app/Dockerfile").read_text().splitlines()
    (command,) = (json.loads(line.removeprefix("CMD ")) for line in lines if line.startswith("CMD "))
    environment = {"PATH": f"{tmp_path}:{os.defpath}"}
    assert subprocess.run(command, cwd=tmp_path, env=environment, check=False).returncode == code


def test_tests_outside_of_a_suite_are_reported_in_one(generated, tmp_path):
    (tmp_path / "some.test.cjs").write_text(
        "const { test, describe, it } = require('node:test');\n"
        "test('alone', () => {});\ntest('fails', () => { throw new Error('<no>'); });\n"
        "test.skip('left out', () => {});\n"
        "describe('suite', () => { it('inside', () => {}); });\n"
    )
    report, script = tmp_path / "junit.xml", generated / "config/scripts/group_tests.py"
    command = ["node", "--test", "--test-reporter=junit", f"--test-reporter-destination={report}", "some.test.cjs"]
    done = subprocess.run(command, cwd=tmp_path, env=machine_environment(), capture_output=True, check=False)
    assert done.returncode == 1
    written = ElementTree.parse(report).getroot()
    assert len(written.findall("testcase")) == 3, "Node groups them itself"

    for _ in range(2):
        subprocess.run([sys.executable, script, report], check=True)
        root = ElementTree.parse(report).getroot()
        assert {child.tag for child in root} == {"testsuite"}
        alone, inside = root
        assert [test.get("name") for test in alone] == ["alone", "fails", "left out"]
        counts = {name: alone.get(name) for name in ("tests", "failures", "errors", "skipped")}
        assert counts == {"tests": "3", "failures": "1", "errors": "0", "skipped": "1"}
        assert (inside.get("name"), len(inside)) == ("suite", 1)
    report.write_text("<testsuites>")
    subprocess.run([sys.executable, script, report], check=True, capture_output=True)
    assert report.read_text() == "<testsuites>"


@pytest.mark.slow
def test_lint_passes_and_finds_faults(app):
    done = npm(app, "lint")
    assert done.returncode == 0, done.stdout
    main = app / "src/main.js"
    main.write_text(main.read_text() + "\nconsole.log(undefinedName);\n")
    done = npm(app, "lint")
    assert done.returncode == 1
    assert "no-console" in done.stdout
    assert "no-undef" in done.stdout


@pytest.mark.slow
def test_make_check_and_clean(service, node_modules):
    shutil.copytree(node_modules, service / "app/node_modules", symlinks=True)
    # What npm's registry says is left to test_source_gate; a mirror of it may know no advisories.
    except_advisory(service, "unreachable", 0)
    environment = machine_environment()
    done = subprocess.run(["make", "check"], cwd=service, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"^\S fail 0$", done.stdout, re.MULTILINE)
    subprocess.run(["make", "clean"], cwd=service, env=environment, capture_output=True, check=True)
    assert not (service / "app/node_modules").exists()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("file", "right", "wrong", "tests"),
    [
        ("src/health.js", "if (phase !== 'ready')", "if (phase === 'never')", "app"),
        ("src/server.js", "health.markDraining();", "", "server"),
        ("src/server.js", "server.closeIdleConnections()", "{}", "server"),
        ("src/server.js", "65_000", "60_000", "server"),
        ("src/app.js", "status < 500 ? error.message : 'Internal server error'", "error.message", "app"),
        ("src/app.js", "res.set('Connection', 'close')", "{}", "server"),
        ("src/config.js", "if (problems.length > 0) throw", "if (problems.length > 9) throw", "server"),
        ("src/main.js", "process.on('SIGTERM'", "process.on('SIGUSR2'", "server"),
        ("src/request-log.js", "req.originalUrl.split('?', 1)[0]", "req.originalUrl", "app"),
    ],
)
def test_its_own_tests_find_faults(app, file, right, wrong, tests):
    source = app / file
    text = source.read_text()
    assert text.count(right) == 1
    source.write_text(text.replace(right, wrong))
    command = ["node", "--test", "--test-timeout=20000", f"test/{tests}.test.js"]
    done = subprocess.run(
        command, cwd=app, env=machine_environment(), capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 1


@pytest.mark.slow
def test_make_run_ends_with_ctrl_c_and_without_an_error(service, node_modules):
    (service / "app/node_modules").symlink_to(node_modules)
    process, terminal = pty.fork()
    if process == 0:
        os.chdir(service)
        os.execvpe("make", ["make", "run", "PORT=0"], machine_environment())
    shown = b""
    while b'"ready"' not in shown:
        shown += os.read(terminal, 4096)
    os.write(terminal, b"\x03")
    while chunk := _read(terminal):
        shown += chunk
    os.close(terminal)
    _, status = os.waitpid(process, 0)
    assert os.waitstatus_to_exitcode(status) in (0, -signal.SIGINT)
    assert b"make: ***" not in shown, shown.decode()


def _read(terminal: int) -> bytes:
    """What a terminal shows next; nothing once its last process has ended."""
    try:
        return os.read(terminal, 4096)
    except OSError:
        return b""


class Process:
    """The real process of the service."""

    def __init__(self, app: Path, **variables: str) -> None:
        environment = {"PATH": os.environ["PATH"], "PORT": "0", **variables}
        command = [shutil.which("node") or "node", "src/main.js"]
        self.child = subprocess.Popen(command, cwd=app, env=environment, stdout=subprocess.PIPE, text=True)
        self.lines: list[dict[str, Any]] = []
        port = self.line("listening")["port"]
        self.line("ready")
        self.url = f"http://127.0.0.1:{port}"

    def line(self, message: str) -> dict[str, Any]:
        """Read the log up to the line with this message."""
        assert self.child.stdout
        for text in self.child.stdout:
            self.lines.append(json.loads(text))
            if self.lines[-1]["msg"] == message:
                return self.lines[-1]
        raise AssertionError(f"no {message!r} among {self.lines}")

    def get(self, path: str) -> tuple[int, dict[str, Any]]:
        try:
            with urllib.request.urlopen(self.url + path, timeout=10) as response:
                return response.status, json.load(response)
        except urllib.error.HTTPError as error:
            return error.code, json.load(error)


@pytest.fixture
def start(service: Path, runtime_modules: Path) -> Iterator[Callable[..., Process]]:
    (service / "app" / "node_modules").symlink_to(runtime_modules)
    processes: list[Process] = []

    def start(**variables: str) -> Process:
        processes.append(Process(service / "app", **variables))
        return processes[-1]

    yield start
    for process in processes:
        with process.child:
            process.child.kill()


# The variables of the task definition.
TASK = {"APP_NAME": "orders", "APP_ENVIRONMENT": "dev", "APP_VERSION": "0a1b2c3d4e5f6071", "LOG_LEVEL": "info"}


def test_it_drains_on_sigterm(start):
    process = start(**TASK, DRAIN_SECONDS="2", SHUTDOWN_SECONDS="10")
    answer = {"message": "Hello from orders", "version": TASK["APP_VERSION"], "environment": "dev"}
    assert process.get("/") == (200, answer)
    assert process.get("/health") == (200, {"status": "ok", "checks": {}})

    process.child.send_signal(signal.SIGTERM)
    process.line("draining")
    assert process.get("/health") == (503, {"status": "draining", "checks": {}})
    assert process.get("/") == (200, answer)
    assert process.child.wait(timeout=9) == 0

    rest = [json.loads(text) for text in process.child.stdout]
    assert rest[-1]["msg"] == "stopped"
    for line in process.lines + rest:
        assert line["service"] == "orders"
        assert line["version"] == TASK["APP_VERSION"]
        assert line["level"] in ("info", "error")


def smoke_test(
    service: Path, url: str, version: str, *words: str, name: str = "dev"
) -> subprocess.CompletedProcess[str]:
    environment = {
        "PATH": os.environ["PATH"],
        "SERVICE_URL": url,
        "EXPECTED_VERSION": version,
        "ENVIRONMENT_NAME": name,
    }
    command = [sys.executable, service / "config/scripts/smoke_test.py", "--interval", "0.02", *words]
    return subprocess.run(
        list(map(str, command)), env=environment, capture_output=True, text=True, check=False, timeout=60
    )


class TestSmokeTest:
    def test_it_passes_for_the_deployed_version(self, start, service):
        process = start(**TASK)
        done = smoke_test(service, process.url + "/", TASK["APP_VERSION"])
        assert done.returncode == 0, done.stderr
        assert "passed 5 of 5\n" in done.stdout
        assert done.stdout.endswith(f"Smoke test passed: dev is healthy and runs version {TASK['APP_VERSION']}.\n")

    def test_it_fails_for_another_version_environment_or_health(self, start, service):
        process = start(**TASK, DRAIN_SECONDS="20")
        url, version = process.url, TASK["APP_VERSION"]
        wrong = smoke_test(service, url, "feedbeef", "--seconds", "0.1")
        assert wrong.returncode == 1
        assert f"in dev, / returns version '{version}' instead of 'feedbeef'." in wrong.stderr
        elsewhere = smoke_test(service, url, version, "--seconds", "0.1", name="prod")
        assert elsewhere.returncode == 1
        assert "/ returns environment 'dev' instead of 'prod'" in elsewhere.stderr
        process.child.send_signal(signal.SIGTERM)
        process.line("draining")
        sick = smoke_test(service, url, version, "--seconds", "0.1")
        assert sick.returncode == 1
        assert '/health returns 503 {"status":"draining","checks":{}}' in sick.stderr

    def test_it_fails_without_a_response(self, service):
        done = smoke_test(service, "http://127.0.0.1:1", "1", "--seconds", "0.1")
        assert done.returncode == 1
        assert "/health cannot be reached: [Errno 111] Connection refused" in done.stderr
        assert done.stdout.count("waiting") == 1

    @pytest.mark.parametrize(
        ("body", "words"),
        [
            (b"<html>", "/ does not return JSON but '<html>'"),
            (b"[1]", "/ returns no version: '[1]'"),
            (b'{"message": "hi"}', "/ returns no version"),
            (b'{"version": 1}', "/ returns version 1 instead of '1'"),
            (b"\xff\xfe", "/ does not return JSON"),
        ],
    )
    def test_it_fails_for_an_unexpected_body(self, service, body, words):
        with stub(lambda _: (200, body)) as url:
            done = smoke_test(service, url, "1", "--seconds", "0.1")
        assert done.returncode == 1
        assert words in done.stderr
        assert "Traceback" not in done.stderr

    def test_only_checks_in_a_row_count(self, service):
        def answer(count: int) -> tuple[int, bytes]:
            old = count % 6 == 0  # one task still runs the old version
            return 200, json.dumps({"version": "old" if old else "new", "environment": "dev"}).encode()

        with stub(answer) as url:
            done = smoke_test(service, url, "new", "--times", "5", "--seconds", "1.5")
        assert done.returncode == 1
        assert "passed 2 of 5" in done.stdout
        assert "passed 3 of 5" not in done.stdout

    def test_it_waits_for_a_service_that_starts_late(self, service):
        def answer(count: int) -> tuple[int, bytes]:
            return (503, b"no") if count < 3 else (200, b'{"version": "1", "environment": "dev"}')

        with stub(answer) as url:
            done = smoke_test(service, url, "1", "--seconds", "20")
        assert done.returncode == 0
        assert "waiting: /health returns 503 no" in done.stdout

    @pytest.mark.parametrize(("url", "version"), [("", "1"), ("ftp://x", "1"), ("http://x", "")])
    def test_missing_variables_are_a_usage_error(self, service, url, version):
        done = smoke_test(service, url, version)
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr == "Set SERVICE_URL (http://... or https://...) and EXPECTED_VERSION.\n"


class stub:  # noqa: N801 (a context manager)
    """A server whose responses depend on the number of the request, from 1."""

    def __init__(self, answer: Callable[[int], tuple[int, bytes]]) -> None:
        count = iter(range(1, 1_000_000))

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                status, body = answer(next(count))
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None: ...

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)

    def __enter__(self) -> str:
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()
        return f"http://127.0.0.1:{self.server.server_port}"

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self.server.server_close()
