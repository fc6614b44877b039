"""Ctrl-C and the other signals that end a process: what counts as one, and how to let one wait."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

# In every system's own words; Windows has no SIGHUP.
ENDING = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))


def heeded() -> list[signal.Signals]:
    """The ending signals that this process does not ignore: `nohup` has it ignore one, and its children too."""
    return [number for number in ENDING if signal.getsignal(number) is not signal.SIG_IGN]


@contextmanager
def held_back() -> Iterator[None]:
    """Let an interruption wait until the block has ended; it comes then. For steps that must not be left half done."""
    if threading.current_thread() is not threading.main_thread():  # signals go to the main thread alone
        yield
        return
    waiting: list[int] = []
    before = {number: signal.signal(number, lambda number, _: waiting.append(number)) for number in heeded()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        if waiting:
            signal.raise_signal(waiting[0])
