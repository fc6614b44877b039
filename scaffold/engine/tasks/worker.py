"""A thread that does work in its order, and looks at regular intervals for what time alone has changed."""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable

_logger = logging.getLogger(__name__)


class Worker:
    """Runs functions one after the other. May be used from any thread.

    Args:
        tick: Called at regular intervals while the worker is busy, however much other work there is.
        busy: Whether ticks are needed.
    """

    def __init__(self, name: str, tick: Callable[[], None], seconds: float, busy: Callable[[], bool]) -> None:
        self._tick = tick
        self._seconds = seconds
        self._busy = busy
        self._work: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def put(self, work: Callable[[], None]) -> None:
        """Run a function later."""
        self._work.put(work)

    def wake(self) -> None:
        """The worker may have become busy."""
        self._work.put(lambda: None)

    def _run(self) -> None:
        due: float | None = None
        while True:
            now = time.monotonic()
            if not self._busy():
                due = None
            elif due is None:
                due = now + self._seconds
            if due is not None and due <= now:
                work, due = self._tick, now + self._seconds
            else:
                try:
                    work = self._work.get(timeout=None if due is None else due - now)
                except queue.Empty:
                    continue
            try:
                work()
            except Exception:  # One event must not end all others.
                _logger.exception("An event was not handled")
