"""The text of an environment that was woken."""

from __future__ import annotations

from scaffold.console.titles import count
from scaffold.deployment.wake import WakeResult
from scaffold.views.place import moment, place


def text(result: WakeResult) -> str:
    """The result in several lines."""
    where = place(result.local, result.account, result.region)
    what = "is awake" if result.awake else f"wakes with {count(result.tasks, 'task')}"
    return "\n".join(
        [
            f"{result.environment} of {result.service} {what} in {where}.",
            f"It runs until {moment(result.until)} at least, and falls asleep the next time that {result.ends} says.",
            "Next:",
            "  scaffold status  shows its tasks",
        ]
    )
