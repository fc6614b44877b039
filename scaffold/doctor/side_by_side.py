"""Runs checks side by side, each with a limit of time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from queue import Empty, SimpleQueue

from scaffold.doctor.findings import Checked, Finding, not_checked


@dataclass(frozen=True)
class Check:
    """One check.

    Attributes:
        name: As it is shown.
        subject: What it looks at: `machine`, `account` or `service`.
        look: Looks, and returns what it has found. It changes nothing.
        after: The name of the check whose end it waits for; its own limit of time begins then.
        overdue: What is found if it does not end in time; the sentence and the fix of no check by default.
    """

    name: str
    subject: str
    look: Callable[[], Finding]
    after: str = ""
    overdue: Callable[[float], Finding] | None = None

    def late(self, seconds: float) -> Finding:
        """The finding of a check that has not ended in time."""
        if self.overdue:
            return self.overdue(seconds)
        return not_checked(f"There was no answer within {seconds:g} seconds.", "Run `scaffold doctor` again.")


def run(
    checks: Sequence[Check], seconds: float, report: Callable[[Mapping[str, Finding]], None] = lambda _: None
) -> tuple[Checked, ...]:
    """Run all checks, and return what they have found in their order.

    A check that does not end in time is left alone: its thread ends with the process.

    Args:
        seconds: The limit of time of each check.
        report: Called with what is known, after each check.
    """
    found: dict[str, Finding] = {}
    ends: dict[str, float] = {}
    answers: SimpleQueue[tuple[str, Finding | BaseException]] = SimpleQueue()

    def start(after: str) -> None:
        for check in checks:
            if check.after == after:
                ends[check.name] = time.monotonic() + seconds
                threading.Thread(target=_look, args=(check, answers), daemon=True).start()

    start("")
    report(found)
    by_name = {check.name: check for check in checks}
    while len(found) < len(checks):
        running = {name: end for name, end in ends.items() if name not in found}
        next_end = min(running.values())
        try:
            name, answer = answers.get(timeout=max(next_end - time.monotonic(), 0))
        except Empty:
            name = min(running, key=running.__getitem__)
            answer = by_name[name].late(seconds)
        if isinstance(answer, BaseException):
            raise answer
        if name not in found:
            found[name] = answer
            start(name)
            report(found)
    return tuple(
        Checked(check.name, check.subject, one.state, one.sentence, one.fix)
        for check in checks
        for one in (found[check.name],)
    )


def _look(check: Check, answers: SimpleQueue[tuple[str, Finding | BaseException]]) -> None:
    try:
        answers.put((check.name, check.look()))
    except BaseException as error:  # the main thread raises it
        answers.put((check.name, error))
