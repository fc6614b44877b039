"""The log of a build: lines to CloudWatch Logs while it runs."""

from __future__ import annotations

import os
import re
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any

_FLUSH_SECONDS = 0.5
_BATCH = 1000
_LONGEST = 250_000
_SHORTEST_HIDDEN = 4

#: Takes events of CloudWatch Logs, each with `timestamp` and `message`.
Send = Callable[[list[dict[str, Any]]], None]


class BuildLog:
    """Collects lines from commands and from the engine, and sends them in order.

    Args:
        send: Called by one thread at a time.
    """

    def __init__(self, send: Send) -> None:
        self._send = send
        self._waiting: list[dict[str, Any]] = []
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._hidden: list[str] = []
        self._reader: threading.Thread | None = None
        self._sender = threading.Thread(target=self._send_all, daemon=True)
        self._sender.start()

    def hide(self, values: Iterable[str]) -> None:
        """Replace values of parameters and secrets by *** from now on, each line of them by itself, as commands print
        them. Lines of less than four characters, such as `1`, are part of too many others: the log could not be read.
        """
        lines = {line.strip() for value in values for line in re.split(r"[\r\n]", value)}
        # The longest first: of one that has another in it, nothing is left.
        self._hidden = sorted((line for line in lines if len(line) >= _SHORTEST_HIDDEN), key=len, reverse=True)

    def say(self, text: str) -> None:
        """Write a line of the engine, in CodeBuild's form."""
        now = time.time()
        stamp = time.strftime("%Y/%m/%d %H:%M:%S", time.gmtime(now))
        self._add(f"[Container] {stamp}.{int(now % 1 * 1_000_000):06} {text}")

    def pipe(self) -> int:
        """A file descriptor whose lines go to the log. Everything that has it has to end before `close`."""
        readable, writable = os.pipe()
        self._reader = threading.Thread(target=self._read, args=(readable,), daemon=True)
        self._reader.start()
        return writable

    def close(self) -> None:
        """Send what is left."""
        if self._reader:
            self._reader.join()
        self._ended.set()
        self._sender.join()

    def _read(self, descriptor: int) -> None:
        with os.fdopen(descriptor, encoding="utf-8", errors="replace") as lines:
            for line in lines:
                self._add(line.rstrip("\n"))

    def _add(self, line: str) -> None:
        for text in self._hidden:
            line = line.replace(text, "***")
        event = {"timestamp": int(time.time() * 1000), "message": (line or " ")[:_LONGEST]}
        with self._lock:
            self._waiting.append(event)

    def _send_all(self) -> None:
        while not self._ended.wait(_FLUSH_SECONDS):
            self._flush()
        self._flush()

    def _flush(self) -> None:
        while True:
            with self._lock:
                batch, self._waiting = self._waiting[:_BATCH], self._waiting[_BATCH:]
            if not batch:
                return
            self._send(batch)
