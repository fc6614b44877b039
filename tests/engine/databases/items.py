"""Clients of an application with a database, which create and read items all the time."""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPException
from typing import Any
from urllib.request import Request

from tests.engine.tasks.test_running import GET


class Clients:
    """Create items and read them again.

    Attributes:
        columns: How often an item had which column after its name. In tests, that tells the version.
        failures: What was neither created nor read.
    """

    def __init__(self, url: str, pause: float) -> None:
        self.columns: Counter[str] = Counter()
        self.failures: list[str] = []
        self.ended = threading.Event()
        self._url = f"{url}/items"
        self._pause = pause

    def create(self, name: str = "bread") -> dict[str, Any]:
        """Create an item."""
        body, kind = json.dumps({"name": name}).encode(), {"Content-Type": "application/json"}
        return self._ask(Request(self._url, body, kind))

    def read(self, identifier: str) -> dict[str, Any]:
        """Read an item."""
        return self._ask(f"{self._url}/{identifier}")

    def names(self) -> list[str]:
        """The names of the items."""
        return [one["name"] for one in self._ask(self._url)["items"]]

    def _ask(self, request: Request | str) -> dict[str, Any]:
        with GET(request, timeout=20) as answer:
            found: dict[str, Any] = json.load(answer)
            return found

    def run(self) -> None:
        while not self.ended.wait(self._pause):
            try:
                made = self.create()
                if self.read(made["id"])["name"] != "bread":
                    self.failures.append("another item")
                self.columns[list(made)[2]] += 1
            except (OSError, HTTPException) as error:
                self.failures.append(str(error))


@contextmanager
def constant(url: str, pause: float = 0.02) -> Iterator[Clients]:
    """Clients of an address during the block.

    Args:
        pause: Seconds between an item and the next one.
    """
    clients = Clients(url, pause)
    thread = threading.Thread(target=clients.run)
    thread.start()
    try:
        yield clients
    finally:
        clients.ended.set()
        thread.join()
