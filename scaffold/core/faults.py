"""Faults that are injected into the newest version of a service, to see what a release does about them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from math import floor

#: How faults are written.
FORMS = "errors:20%, latency:2s, exit or unhealthy"
_ERRORS = re.compile(r"errors:(\d+(?:\.\d+)?)%")
_LATENCY = re.compile(r"latency:(\d+(?:\.\d+)?)(ms|s)")


@dataclass(frozen=True)
class Fault:
    """What a version does wrong.

    Attributes:
        errors: The share of its requests that get the status 500, from 0 to 1.
        latency: The seconds by which its answers come later.
        exits: Whether its tasks exit at their start.
        unhealthy: Whether the health checks of the load balancer fail.
    """

    errors: float = 0.0
    latency: float = 0.0
    exits: bool = False
    unhealthy: bool = False

    def fails(self, request: int) -> bool:
        """Whether a request gets the status 500, counted from 1: the errors are spread evenly, not by chance."""
        # To a millionth, since the share is a binary fraction.
        before, after = (floor(round(count * self.errors, 6)) for count in (request - 1, request))
        return after > before


def parse(texts: Iterable[str]) -> Fault:
    """The faults that these texts describe, together.

    Raises:
        ValueError: One of them describes none. The text is the message.
    """
    errors, latency, exits, unhealthy = 0.0, 0.0, False, False
    for text in texts:
        if text == "exit":
            exits = True
        elif text == "unhealthy":
            unhealthy = True
        elif found := _LATENCY.fullmatch(text):
            latency = float(found[1]) / (1000 if found[2] == "ms" else 1)
        elif (found := _ERRORS.fullmatch(text)) and 0 < float(found[1]) <= 100:
            errors = float(found[1]) / 100
        else:
            raise ValueError(text)
    return Fault(errors, latency, exits, unhealthy)
