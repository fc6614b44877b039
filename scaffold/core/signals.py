"""Termination signals: which there are, and how to defer them."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

# Those that the platform has; Windows has no SIGHUP.
TERMINATION = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))


def handled_signals() -> list[signal.Signals]:
    """Termination signals that this process does not ignore; under `nohup` it ignores SIGHUP."""
    return [number for number in TERMINATION if signal.getsignal(number) is not signal.SIG_IGN]


@contextmanager
def deferred_signals() -> Iterator[None]:
    """Defer SIGINT, SIGTERM and SIGHUP until the block has ended, for work that must not be left half done."""
    if threading.current_thread() is not threading.main_thread():  # only the main thread receives signals
        yield
        return
    waiting: list[int] = []
    before = {number: signal.signal(number, lambda number, _: waiting.append(number)) for number in handled_signals()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        if waiting:
            signal.raise_signal(waiting[0])
