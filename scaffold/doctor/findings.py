"""What a check finds, and the result of all checks."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar

from scaffold.core.errors import EXIT_CHECK_FAILED, EXIT_DONE, ScaffoldError
from scaffold.core.results import Result


class State(StrEnum):
    """The state of a check, as `--json` has it."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"
    NOT_CHECKED = "not_checked"


@dataclass(frozen=True)
class Finding:
    """What a check has found.

    Attributes:
        state: FAILED for what a deployment needs, WARNING for what is useful or may be too little.
        sentence: What is the case.
        fix: What to do; a command is between backticks. Empty where there is nothing to do.
    """

    state: State
    sentence: str
    fix: str = ""


@dataclass(frozen=True)
class Checked:
    """What the check of a name has found.

    Attributes:
        subject: What the check looks at: `machine`, `account` or `service`.
        state: As a finding has it, like sentence and fix.
    """

    name: str
    subject: str
    state: State
    sentence: str
    fix: str


@dataclass(frozen=True)
class DoctorResult(Result):
    """All checks.

    Attributes:
        version: That of gitops-scaffold.
        service: The service whose folder it is; None outside of one.
        account: The account of the credentials; None where they lead to none.
        region: The service's region; outside of a service the configured one, None for none.
        local: Whether it is local AWS, which proves nothing about an account.
        checks: In the order of the table.
    """

    command: ClassVar[str] = "doctor"

    version: str
    service: str | None
    account: str | None
    region: str | None
    local: bool
    checks: tuple[Checked, ...]

    @property
    def exit_code(self) -> int:
        """1 if something that a deployment needs has failed, else 0."""
        return EXIT_CHECK_FAILED if any(one.state is State.FAILED for one in self.checks) else EXIT_DONE


def ok(sentence: str) -> Finding:
    """Everything is as it should be."""
    return Finding(State.OK, sentence)


def warning(sentence: str, fix: str) -> Finding:
    """Something useful is missing, or may be too little."""
    return Finding(State.WARNING, sentence, fix)


def failed(sentence: str, fix: str) -> Finding:
    """Something that a deployment needs is missing."""
    return Finding(State.FAILED, sentence, fix)


def not_checked(sentence: str, fix: str = "") -> Finding:
    """It cannot be told; the fix is what a check would take."""
    return Finding(State.NOT_CHECKED, sentence, fix)


def refused(error: ScaffoldError) -> Finding:
    """What a command would end with."""
    return failed(error.happened, error.remedy)
