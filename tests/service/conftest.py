"""A generated service, its dependencies, local AWS and a fake container engine."""

from __future__ import annotations

import contextlib
import fcntl
import functools
import importlib.util
import io
import json
import os
import runpy
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.machinery import SourceFileLoader
from pathlib import Path
from threading import Thread
from types import CodeType
from typing import Any

import pytest

from tests.fork_server import AWS_CLI, programs
from tests.kits import ROOT, generate

HERE = Path(__file__).parent
# The environment at the start of the session: npm needs settings that other tests remove.
MACHINE = dict(os.environ)
TOOLS = Path(sys.executable).parent
OFFLINE = ("ENOTFOUND", "EAI_AGAIN", "ECONNREFUSED", "ETIMEDOUT", "ENETUNREACH")


def machine_environment(**more: str) -> dict[str, str]:
    """The environment at the start of the session, with this project's tools first on the PATH."""
    return {**MACHINE, "PATH": f"{TOOLS}{os.pathsep}{MACHINE['PATH']}", **more}


def except_advisory(service: Path, identifier: str, days: int) -> None:
    """Add an exception to the policy of the audit, which ends that many days from today."""
    expires = datetime.now(UTC).date() + timedelta(days)
    with (service / "config/policies/audit-policy.toml").open("a") as policy:
        policy.write(f'[[exceptions]]\nid = "{identifier}"\nreason = "Why"\nexpires = {expires}\n')


@contextlib.contextmanager
def serving(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    """A server on 127.0.0.1 that answers by a handler; its URL."""
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def replace_by_link(path: Path, folder: Path, *, leads_to_it: bool) -> None:
    """Move a file or a folder into another folder, and put a symbolic link in its place.

    Args:
        leads_to_it: Whether the link leads there, and not to something missing.
    """
    elsewhere = folder / "elsewhere"
    path.rename(elsewhere if leads_to_it else folder / "away")
    path.symlink_to(elsewhere)


def function_of(script: str, name: str) -> Any:
    """A function of one of the kit's scripts, which import their neighbours."""
    folder = ROOT / "template" / "config" / "scripts"
    with pytest.MonkeyPatch.context() as patch:
        import_from(patch, folder)
        return runpy.run_path(str(folder / script))[name]


def run_script(
    monkeypatch: pytest.MonkeyPatch,
    script: Path,
    aws: Callable[..., subprocess.CompletedProcess[str]],
    variables: Mapping[str, str],
    arguments: Sequence[str] = (),
) -> subprocess.CompletedProcess[str]:
    """Run one of a service's scripts in this process.

    Args:
        aws: Called in place of `subprocess.run`, with the command.
        variables: Environment variables to set.
    """
    output, errors = io.StringIO(), io.StringIO()
    with monkeypatch.context() as patch, contextlib.redirect_stdout(output), contextlib.redirect_stderr(errors):
        for name, value in variables.items():
            patch.setenv(name, value)
        patch.setattr(subprocess, "run", aws)
        patch.setattr(sys, "argv", [script.name, *arguments])
        import_from(patch, script.parent)
        with pytest.raises(SystemExit) as ended:
            runpy.run_path(str(script), run_name="__main__")
    return subprocess.CompletedProcess([], int(str(ended.value.code)), output.getvalue(), errors.getvalue())


def import_from(patch: pytest.MonkeyPatch, folder: Path) -> None:
    """Let scripts import their neighbours in a folder, and not those of another service that were imported before.

    The same text is compiled once, in whatever copy of a service it is.
    """
    patch.syspath_prepend(str(folder))
    for neighbour in folder.glob("[!_]*.py"):
        sys.modules.pop(neighbour.stem, None)
    patch.setattr(SourceFileLoader, "source_to_code", lambda _, text, path, **__: _compiled(text, Path(path).name))
    patch.setattr(runpy, "compile", lambda text, path, _: _compiled(text, Path(path).name), raising=False)


@functools.cache
def _compiled(text: bytes, name: str) -> CodeType:
    return compile(text, name, "exec", dont_inherit=True)


@pytest.fixture(scope="session")
def generated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A service with the default answers. Read-only: tests that change it use `service`."""
    return generate(tmp_path_factory.mktemp("generated") / "service")


@pytest.fixture(scope="session")
def generated_without_gate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A service without scan gate and approvals."""
    answers = {"scan_gate": "off", "customize": True, "pull_request_approvals": 0}
    return generate(tmp_path_factory.mktemp("generated") / "service", **answers)


@pytest.fixture(scope="session")
def generated_custom(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A service with other answers to every question that the files of app/ and config/ might depend on."""
    answers = {"scan_gate": "high", "customize": True, "pull_request_approvals": 3, "architecture": "arm64"}
    answers |= {"scan_engine": "sbom", "nightly_scan": True}
    answers |= {"promotion": "branches", "auto_promote": "staging"}
    answers["load_test"] = "dev"
    place = {"app_name": "another-name", "aws_region": "us-gov-west-1", "aws_account_id": "123456789012"}
    return generate(tmp_path_factory.mktemp("generated") / "service", **answers, **place)


@pytest.fixture
def service(generated: Path, tmp_path: Path) -> Path:
    """A copy of the default service, for tests that change it."""
    return shutil.copytree(generated, tmp_path / "service")


@pytest.fixture(scope="session")
def node_modules(generated: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The app's dependencies, with those of its tests and lint."""
    return npm_ci(generated, tmp_path_factory)


@pytest.fixture(scope="session")
def runtime_modules(generated: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The dependencies of the app's process alone, which install faster."""
    return npm_ci(generated, tmp_path_factory, "--omit=dev")


def npm_ci(generated: Path, tmp_path_factory: pytest.TempPathFactory, *options: str, of: str = "npm-ci") -> Path:
    """The folder that `npm ci` installs into, once for all workers of a test run.

    Args:
        of: The name of what is installed.
    """
    if not shutil.which("npm", path=MACHINE["PATH"]):
        pytest.skip("npm is not installed")
    shared = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent
    installed = shared / "-".join([of, *options])
    with installed.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (installed / "done").exists():
            shutil.rmtree(installed, ignore_errors=True)
            installed.mkdir()
            for name in ("package.json", "package-lock.json", ".npmrc"):
                shutil.copy2(generated / "app" / name, installed)
            done = subprocess.run(
                ["npm", "ci", "--no-audit", *options],
                cwd=installed,
                env=machine_environment(),
                capture_output=True,
                text=True,
                check=False,
            )
            if done.returncode and any(word in done.stderr for word in OFFLINE):
                pytest.skip("the npm registry cannot be reached")
            assert done.returncode == 0, done.stderr
            (installed / "done").touch()
    return installed / "node_modules"


@pytest.fixture
def app(service: Path, node_modules: Path) -> Path:
    """The app of a service, ready to run, to be tested and linted."""
    (service / "app" / "node_modules").symlink_to(node_modules)
    return service / "app"


@pytest.fixture(scope="session")
def local() -> Iterator[dict[str, str]]:
    """The environment variables of a local AWS for this worker."""
    from scaffold.local.environment import local_aws

    # The lowest versions that the package allows are tested with the machine's `aws`.
    installed = {"aws": AWS_CLI} if importlib.util.find_spec("awscli") else {}
    with local_aws() as variables, programs(**installed) as tools:
        yield variables | {"PATH": os.pathsep.join([os.fspath(tools), os.fspath(TOOLS), variables["PATH"]])}


class Engine:
    """The fake container engine: its settings and the log of its calls."""

    def __init__(self, state: Path) -> None:
        self.state = state
        (state / "bin").mkdir(parents=True)
        program = state / "bin" / "docker"
        program.write_text(f"#!/bin/sh\nexec '{sys.executable}' -I '{HERE / 'docker_stand_in.py'}' '{state}' \"$@\"\n")
        program.chmod(0o755)
        self.tell()

    def tell(self, **settings: object) -> None:
        """Change its settings: base, tests, failing, push, modules (see docker_stand_in.py)."""
        (self.state / "settings.json").write_text(json.dumps(settings))

    def calls(self, *words: str) -> list[list[str]]:
        """The calls so far that contain all of the words."""
        log = self.state / "calls.jsonl"
        calls = [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []
        return [call for call in calls if all(word in call for word in words)]

    def forget(self) -> None:
        """Clear the log of calls."""
        (self.state / "calls.jsonl").unlink(missing_ok=True)


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    return Engine(tmp_path / "engine")
