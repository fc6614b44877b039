"""Waiting that can be shortened: bakes, pauses, alarm periods and windows. Work, such as builds, takes its own time."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass


@dataclass(frozen=True)
class Clock:
    """The one clock of the engine.

    Attributes:
        speed: How many seconds of waiting pass in one second.
    """

    speed: float = 1.0

    def now(self) -> float:
        """Seconds since the epoch, for timestamps: never shortened."""
        return time.time()

    def wait(self, seconds: float, stopped: threading.Event) -> bool:
        """Wait as long as AWS would, shortened by the speed; return early, with true, when stopped."""
        return stopped.wait(self.shortened(seconds))

    def shortened(self, seconds: float) -> float:
        """How long a time is here that AWS would wait."""
        return seconds / self.speed

    def period_at(self, moment: float, seconds: float) -> int:
        """The number of the period of this length, shortened by the speed, in which a moment lies."""
        return int(moment / self.shortened(seconds))
