"""What happens in the engine, in the form of AWS's state-change events, for everything that reports or reacts."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Event:
    """An event as EventBridge would deliver it.

    Attributes:
        source: Such as `aws.codepipeline`.
        detail_type: Such as `CodePipeline Stage Execution State Change`.
        detail: As AWS documents it for this type.
        resources: ARNs.
        at: Seconds since the epoch.
    """

    source: str
    detail_type: str
    region: str
    detail: dict[str, Any]
    resources: tuple[str, ...] = ()
    at: float = 0.0


@dataclass
class EventStream:
    """Passes events on, and keeps none. May be used from any thread."""

    _subscribers: list[Callable[[Event], None]] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def publish(self, event: Event) -> None:
        """Pass an event to the subscribers, in the thread of the caller."""
        with self._lock:
            subscribers = list(self._subscribers)
        for subscriber in subscribers:
            subscriber(event)

    def subscribe(self, subscriber: Callable[[Event], None]) -> None:
        """Call a function with each later event."""
        with self._lock:
            self._subscribers.append(subscriber)
