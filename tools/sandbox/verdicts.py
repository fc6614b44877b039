"""What is known about an assumption after its probe."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum

EXIT_DONE = 0
EXIT_REFUTED = 1
EXIT_INCOMPLETE = 2


class Outcome(StrEnum):
    """Whether an assumption holds."""

    PROVED = "proved"
    REFUTED = "refuted"
    UNDECIDED = "undecided"


@dataclass(frozen=True)
class Verdict:
    """The result of a probe.

    Attributes:
        evidence: What AWS has answered, or why it does not tell.
        question: What a person has to look at, where no API tells.
        failed: The probe could not run to its end.
    """

    outcome: Outcome
    evidence: str
    question: str = ""
    failed: bool = False

    def without(self, secret: str, replacement: str) -> Verdict:
        """The same verdict, with a text replaced that does not belong in a published report."""
        texts = (text.replace(secret, replacement) for text in (self.evidence, self.question))
        evidence, question = texts
        return replace(self, evidence=evidence, question=question)


class Undecided(Exception):
    """The assumption can be neither proved nor refuted here; the message says why.

    Args:
        question: What a person has to look at instead.
    """

    def __init__(self, reason: str, question: str = "") -> None:
        super().__init__(reason)
        self.question = question


class Unavailable(Exception):
    """What a probe needs was not there, or not in time; the message says what."""


def proved(evidence: str) -> Verdict:
    """The assumption holds."""
    return Verdict(Outcome.PROVED, evidence)


def refuted(evidence: str) -> Verdict:
    """The assumption does not hold."""
    return Verdict(Outcome.REFUTED, evidence)


def decided(holds: bool, evidence: str) -> Verdict:
    """Proved or refuted."""
    return proved(evidence) if holds else refuted(evidence)


def undecided(reason: str, question: str = "") -> Verdict:
    """No API tells, or not in this account."""
    return Verdict(Outcome.UNDECIDED, reason, question)


def failed(reason: str) -> Verdict:
    """The probe could not run to its end."""
    return Verdict(Outcome.UNDECIDED, reason, failed=True)


def exit_code(verdicts: Iterable[Verdict]) -> int:
    """The exit code of a run: a refutation matters more than a probe that could not run."""
    found = list(verdicts)
    if any(one.outcome is Outcome.REFUTED for one in found):
        return EXIT_REFUTED
    return EXIT_INCOMPLETE if any(one.failed for one in found) else EXIT_DONE
