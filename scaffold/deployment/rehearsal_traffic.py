"""Requests to production while its release is rehearsed: without any, most alarms have nothing to judge."""

from __future__ import annotations

import threading
import time
import urllib.error
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPException

from scaffold.core.loopback import direct_opener

_LOOKS_EACH_SECONDS = 1
# In each minute of local AWS, so that the alarm on errors, which needs 3 in a minute, sees a fifth of them fail; but no
# more than this machine serves beside everything else.
_REQUESTS_EACH_MINUTE = 40
_MOST_EACH_SECOND = 50.0
# Enough for answers that come seconds late: an alarm on latency needs one in each minute, however fast it passes.
_CLIENTS = 20
_TIMEOUT_SECONDS = 10
# Of a release that has succeeded, so that a few minutes of local AWS have data.
_AT_LEAST_SECONDS = 3
_LONGEST_WAIT_SECONDS = 10


@dataclass(frozen=True)
class Sent:
    """The requests that were sent.

    Attributes:
        failed: Those without an answer, or whose answer is an error of the server.
    """

    requests: int = 0
    failed: int = 0


class Traffic:
    """Sends requests from the first answer on.

    Args:
        find_url: Returns the URL; None while there is none. It is called in another thread.
        speed: How many seconds of local AWS pass in one second.
    """

    def __init__(self, find_url: Callable[[], str | None], speed: float) -> None:
        self.sent = Sent()
        self._find_url = find_url
        self._pause = _CLIENTS / min(_MOST_EACH_SECOND, _REQUESTS_EACH_MINUTE * speed / 60)
        self._counting = threading.Lock()
        self._open = direct_opener().open
        self._url: str | None = None
        self._answered = threading.Event()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="rehearsal-traffic", daemon=True)

    @contextmanager
    def during(self) -> Iterator[None]:
        """Send requests while the block is executed, and for a moment after its success."""
        self._thread.start()
        try:
            yield
            if self._url and self._answered.wait(_LONGEST_WAIT_SECONDS):
                time.sleep(_AT_LEAST_SECONDS)
        finally:
            self._ended.set()

    def _run(self) -> None:
        while not self._url or not self._answers(self._url):
            if self._ended.wait(_LOOKS_EACH_SECONDS):
                return
            self._url = self._url or self._find_url()
        self._answered.set()
        for client in range(_CLIENTS):
            args = (self._url, client * self._pause / _CLIENTS)
            threading.Thread(target=self._request, args=args, name=f"rehearsal-traffic-{client}", daemon=True).start()

    def _request(self, url: str, start: float) -> None:
        """Send one request after the other.

        Args:
            start: The seconds until the first one, so that clients do not send theirs at the same time.
        """
        pause = start
        while not self._ended.wait(pause):
            begun = time.monotonic()
            failed = not self._answers(url)
            with self._counting:
                self.sent = Sent(self.sent.requests + 1, self.sent.failed + failed)
            pause = max(0.0, self._pause - (time.monotonic() - begun))

    def _answers(self, url: str) -> bool:
        if not url.startswith(("http://", "https://")):  # A template may say anything; urllib would also read files.
            return False
        try:
            with self._open(url, timeout=_TIMEOUT_SECONDS) as answer:
                answer.read()
        except urllib.error.HTTPError as error:
            error.close()
            return error.code < 500
        except (OSError, HTTPException):
            return False
        return True
