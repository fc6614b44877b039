"""Durations on the command line, such as `15m`."""

from __future__ import annotations

import re
from datetime import timedelta

from scaffold.core.errors import UsageError

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
# Longer than any log is kept.
_LONGEST = timedelta(days=3653)
_DURATION = re.compile(r"(?P<number>[0-9]{1,6})(?P<unit>[smhd])")


def parse(text: str) -> timedelta:
    """A duration of at most ten years: a number with `s`, `m`, `h` or `d`.

    Raises:
        UsageError: It is none.
    """
    found = _DURATION.fullmatch(text.strip())
    if found is None:
        raise UsageError(f"{text!r} is not a duration.", "Write a number and a unit, such as 30s, 15m, 2h or 1d.")
    return min(timedelta(**{_UNITS[found["unit"]]: int(found["number"])}), _LONGEST)
