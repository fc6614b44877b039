"""Pauses that a test does not make."""

from __future__ import annotations

import threading
import time

import pytest


def skip_pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Let what a test runs make no pauses, and return a list of those that it would have made.

    Threads that run already do make theirs: ministack's import has started one.
    """
    pauses: list[float] = []
    sleep, others = time.sleep, {thread.ident for thread in threading.enumerate()} - {threading.get_ident()}

    def pause(seconds: float) -> None:
        if threading.get_ident() in others:
            sleep(seconds)
        else:
            pauses.append(seconds)

    monkeypatch.setattr(time, "sleep", pause)
    return pauses
