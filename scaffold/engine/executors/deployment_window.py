"""DeploymentWindow rules: wait until a window of time opens."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from scaffold.engine.clock import Clock
from scaffold.engine.pipeline.jobs import Failed, Job, Outcome, Succeeded

_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_WEEKDAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
_HORIZON = timedelta(days=5 * 366)


class CronError(ValueError):
    """An expression is not valid, or not rehearsed. The text is for people."""


@dataclass(frozen=True)
class Window:
    """The minutes of a cron expression: seconds, minutes, hours, days, months, weekdays and, optionally, years."""

    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    years: frozenset[int]

    @classmethod
    def parse(cls, expression: str) -> Window:
        """Read an expression.

        Raises:
            CronError: It is not valid, or uses L, W or #.
        """
        fields = expression.upper().split()
        if len(fields) not in (6, 7):
            raise CronError(f"The cron expression {expression!r} has {len(fields)} fields instead of 6 or 7")
        if fields[0] != "*":
            raise CronError(f"not rehearsed: seconds in the cron expression {expression!r}")
        return cls(
            _numbers(fields[1], 0, 59),
            _numbers(fields[2], 0, 23),
            _numbers(fields[3], 1, 31),
            _numbers(fields[4], 1, 12, _MONTHS),
            _numbers(fields[5], 1, 7, _WEEKDAYS),
            _numbers(fields[6] if fields[6:] else "*", 1970, 2199),
        )

    def opens(self, moment: datetime) -> datetime | None:
        """When the window is open next, which may be now, or None if it does not open within five years."""
        minute, last = moment.replace(second=0, microsecond=0), moment + _HORIZON
        while minute <= last:
            if not self._includes_day(minute):
                minute = minute.replace(hour=0, minute=0) + timedelta(days=1)
            elif minute.hour not in self.hours:
                minute = minute.replace(minute=0) + timedelta(hours=1)
            elif minute.minute not in self.minutes:
                minute += timedelta(minutes=1)
            else:
                return max(minute, moment)
        return None

    def _includes_day(self, moment: datetime) -> bool:
        weekday = moment.isoweekday() % 7 + 1  # 1 is Sunday.
        return (
            moment.year in self.years
            and moment.month in self.months
            and moment.day in self.days
            and weekday in self.weekdays
        )


class DeploymentWindow:
    """Waits until the window opens, or until the rule's own timeout.

    Args:
        clock: Passes the time.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def __call__(self, job: Job) -> Outcome:
        """Evaluate a rule."""
        given = job.assignment.configuration
        zone = given.get("TimeZone", "UTC")
        try:
            window, now = Window.parse(given["Cron"]), datetime.fromtimestamp(self._clock.now(), ZoneInfo(zone))
        except CronError as error:
            return Failed("RuleConfigurationError", str(error))
        except (ZoneInfoNotFoundError, ValueError):
            return Failed("RuleConfigurationError", f"There is no time zone {zone!r}")
        opens = window.opens(now)
        timeout = job.assignment.declaration.get("timeoutInMinutes")
        seconds = (opens - now).total_seconds() if opens else float("inf")
        if timeout is not None and seconds > timeout * 60:
            self._clock.wait(timeout * 60, job.ended)
            return Failed("RuleFailed", f"The deployment window did not open within {timeout} minutes")
        if opens is None:
            return Failed("RuleConfigurationError", f"The deployment window {given['Cron']!r} never opens")
        self._clock.wait(seconds, job.ended)
        return Succeeded(f"The deployment window is open: {given['Cron']} {zone}")


def _numbers(field: str, first: int, last: int, names: tuple[str, ...] = ()) -> frozenset[int]:
    return frozenset(number for part in field.split(",") for number in _part(part, first, last, names))


def _part(part: str, first: int, last: int, names: tuple[str, ...]) -> Iterator[int]:
    span, _, increment = part.partition("/")
    start, _, end = span.partition("-")
    try:
        step = int(increment or 1)
        low = first if start in ("*", "?") else _number(start, names)
        high = _number(end, names) if end else (last if start in ("*", "?") or increment else low)
    except ValueError:
        raise CronError(f"not rehearsed: {part!r} in a cron expression") from None
    if not (first <= low <= last and first <= high <= last and step > 0):
        raise CronError(f"{part!r} in a cron expression is not between {first} and {last}")
    if low > high:  # Such as FRI-MON.
        high += last - first + 1
    return ((number - first) % (last - first + 1) + first for number in range(low, high + 1, step))


def _number(text: str, names: tuple[str, ...]) -> int:
    return names.index(text) + 1 if text in names else int(text)
