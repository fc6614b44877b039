"""Git over the network: bounded attempts for what may pass by itself, and an end for a host that says nothing."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

import scaffold.core.git
from scaffold.core.git import git, network_git
from scaffold.core.git_failures import GitFailed, GitFailure
from tests.kits import IDENTITY
from tests.pauses import skip_pauses

TRANSIENT = [500, 502, 503, 504, 429, "dropped", "cut off"]
FINAL = {401: GitFailure.DENIED, 403: GitFailure.DENIED, 404: GitFailure.OTHER}


@dataclass
class Host:
    """A web server with a repository, whose first requests fail.

    Attributes:
        fault: An HTTP status, or what happens to the connection.
        times: How many requests fail.
    """

    url: str
    fault: int | str
    times: int
    requests: list[str] = field(default_factory=list)


class Handler(SimpleHTTPRequestHandler):
    """Serves files, after the faults."""

    def __init__(self, *arguments: object, host: Host, **options: object) -> None:
        self.host = host
        super().__init__(*arguments, **options)

    def do_GET(self) -> None:
        self.host.requests.append(self.path)
        if len(self.host.requests) > self.host.times:
            super().do_GET()
        elif isinstance(self.host.fault, int):
            self.send_response(self.host.fault)
            self.send_header("Content-Length", "0")
            self.end_headers()
        elif self.host.fault == "silent":
            self.rfile.read(1)
        elif self.host.fault == "cut off":
            self.send_response(200)
            self.send_header("Content-Length", "1000")
            self.end_headers()
            self.wfile.write(b"0123")
            self.close_connection = True
        else:
            self.close_connection = True

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a repository that plain HTTP can serve."""
    folder = tmp_path_factory.mktemp("served")
    git("init", "-q", "-b", "main", "work", cwd=folder)
    git("commit", "-q", "--allow-empty", "-m", "one", cwd=folder / "work", env=IDENTITY)
    git("clone", "-q", "--bare", "work", "service.git", cwd=folder)
    git("update-server-info", cwd=folder / "service.git")
    return folder


@contextmanager
def hosting(folder: Path, fault: int | str, times: int) -> Iterator[Host]:
    host = Host("", fault, times)
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, host=host, directory=str(folder))) as server:
        server.daemon_threads = True
        server.block_on_close = False
        threading.Thread(target=server.serve_forever, daemon=True).start()
        host.url = f"http://127.0.0.1:{server.server_port}/service.git"
        yield host
        server.shutdown()


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses, which take no time here."""
    return skip_pauses(monkeypatch)


@pytest.mark.parametrize("fault", TRANSIENT)
def test_what_may_pass_is_tried_again_with_growing_pauses(
    served: Path, tmp_path: Path, waits: list[float], fault: int | str
) -> None:
    with hosting(served, fault, times=2) as host:
        assert "refs/heads/main" in network_git("ls-remote", host.url, cwd=tmp_path)
    assert waits == sorted(waits)
    assert len(waits) == 2
    assert waits[0] < waits[1]


@pytest.mark.parametrize("fault", TRANSIENT)
def test_attempts_are_bounded_and_the_failure_is_called_a_passing_one(
    served: Path, tmp_path: Path, waits: list[float], fault: int | str
) -> None:
    with hosting(served, fault, times=1000) as host, pytest.raises(GitFailed) as failed:
        network_git("ls-remote", host.url, cwd=tmp_path)
    assert failed.value.kind in (GitFailure.UNAVAILABLE, GitFailure.NETWORK)
    assert len(waits) == 2


@pytest.mark.parametrize("status", FINAL)
def test_a_refusal_is_not_tried_again(served: Path, tmp_path: Path, waits: list[float], status: int) -> None:
    with hosting(served, status, times=1000) as host, pytest.raises(GitFailed) as failed:
        network_git("ls-remote", host.url, cwd=tmp_path)
    assert failed.value.kind is FINAL[status]
    assert not waits


@pytest.mark.slow
def test_a_host_that_says_nothing_is_left(
    served: Path, tmp_path: Path, waits: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "http.lowSpeedTime=60" in scaffold.core.git._SILENT_HOST
    monkeypatch.setenv("GIT_HTTP_LOW_SPEED_TIME", "1")
    with hosting(served, "silent", times=1000) as host, pytest.raises(GitFailed) as failed:
        network_git("ls-remote", host.url, cwd=tmp_path)
    assert failed.value.kind is GitFailure.NETWORK


@pytest.fixture
def ssh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], dict[str, list[str]]]:
    """Reaches a host with ssh; returns the words of each program's last call."""
    for name in ("ssh", "other"):
        program = tmp_path / "bin" / name
        program.parent.mkdir(exist_ok=True)
        program.write_text(f"#!/bin/sh\nprintf '%s\\n' \"$@\" >'{tmp_path}/{name}.called'\nexit 1\n")
        program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")
    for name in ("GIT_SSH", "GIT_SSH_COMMAND"):
        monkeypatch.delenv(name, raising=False)

    def call() -> dict[str, list[str]]:
        with pytest.raises(GitFailed):
            network_git("ls-remote", "ssh://git@127.0.0.1/kit", cwd=tmp_path)
        return {path.stem: path.read_text().splitlines() for path in tmp_path.glob("*.called")}

    return call


def test_a_host_that_says_nothing_is_left_by_ssh_too(
    ssh: Callable[[], dict[str, list[str]]], waits: list[float]
) -> None:
    (words,) = ssh().values()
    assert {"ConnectTimeout=60", "ServerAliveInterval=15", "ServerAliveCountMax=4"} <= set(words)
    assert "git@127.0.0.1" in words


@pytest.mark.parametrize("where", ["GIT_SSH_COMMAND", "GIT_SSH", "core.sshCommand"])
def test_the_ssh_command_of_the_user_stays_as_it_is(
    ssh: Callable[[], dict[str, list[str]]],
    tmp_path: Path,
    waits: list[float],
    monkeypatch: pytest.MonkeyPatch,
    where: str,
) -> None:
    other = os.fspath(tmp_path / "bin" / "other")
    if where == "core.sshCommand":
        (tmp_path / "config").write_text(f"[core]\n\tsshCommand = {other}\n")
        monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.fspath(tmp_path / "config"))
    else:
        monkeypatch.setenv(where, other)
    called = ssh()
    assert list(called) == ["other"]
    assert not [word for word in called["other"] if "ServerAlive" in word]
