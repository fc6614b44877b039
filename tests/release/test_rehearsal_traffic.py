"""The requests of a rehearsal, and what it says of the alarms."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from scaffold.deployment import rehearsal_traffic
from scaffold.deployment.rehearsal_traffic import Sent, Traffic


class Server:
    """Answers with one status after the other, and then with the last one."""

    def __init__(self, *statuses: int) -> None:
        self.left = list(statuses)
        self.asked = threading.Semaphore(0)
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(server.left.pop(0) if len(server.left) > 1 else server.left[0])
                self.send_header("Content-Length", "0")
                self.end_headers()
                server.asked.release()

            def log_message(self, *_: Any) -> None:
                pass

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._http.server_address[1]}"
        threading.Thread(target=self._http.serve_forever, args=(0.05,), daemon=True).start()

    def wait_for(self, requests: int) -> None:
        for _ in range(requests):
            assert self.asked.acquire(timeout=60)

    def close(self) -> None:
        self._http.shutdown()
        self._http.server_close()


@pytest.fixture(autouse=True)
def _hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("_LOOKS_EACH_SECONDS", "_AT_LEAST_SECONDS"):
        monkeypatch.setattr(rehearsal_traffic, name, 0.01)


@pytest.fixture
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    made = Server(*request.param)
    yield made
    made.close()


@pytest.mark.parametrize("server", [(503, 503, 200, 500, 404, 200)], indirect=True)
def test_requests_count_from_the_first_answer_on(server: Server) -> None:
    """Production may not have a task before, and no URL."""
    urls = iter([None, None])
    traffic = Traffic(lambda: next(urls, server.url), 600)
    with traffic.during():
        server.wait_for(6)
    assert traffic.sent.requests >= 2
    assert traffic.sent.failed == 1


@pytest.mark.parametrize("server", [(503,)], indirect=True)
def test_a_release_that_fails_is_not_waited_for(server: Server) -> None:
    traffic = Traffic(lambda: server.url, 600)

    def fail() -> None:
        with traffic.during():
            server.wait_for(2)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert traffic.sent == Sent()


@pytest.mark.parametrize("url", [None, "file:///etc/hostname"])
def test_without_an_http_address_nothing_is_sent(url: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rehearsal_traffic, "_LONGEST_WAIT_SECONDS", 0.1)
    traffic = Traffic(lambda: url, 600)
    with traffic.during():
        pass
    assert traffic.sent == Sent()
