"""The errors that end a command, with their exit codes.

    ScaffoldError            1    the user can fix it
    ├── UsageError           2    the command line or an answer is wrong
    ├── Bug                 70    an exception that is none of these; the log says more
    └── Interrupted        130    Ctrl-C

Each error is two sentences: what happened, and what to do about it.
"""

from __future__ import annotations

from typing import Self

EXIT_DONE = 0
EXIT_RELEASE_FAILED = 1
EXIT_CHECK_FAILED = 1
EXIT_NEEDS_DECISION = 1
EXIT_CONFLICTS = 3
EXIT_PLAN_HAS_CHANGES = 10
EXIT_WAITS_FOR_APPROVAL = 11
EXIT_DRIFT = 12


class ScaffoldError(Exception):
    """A failure that the user can fix.

    Args:
        happened: One sentence on what happened.
        remedy: One sentence on what to do, with the command where there is one.

    Attributes:
        log: The last lines of the log that shows it; empty without one.
    """

    exit_code = 1
    log: tuple[str, ...] = ()

    def __init__(self, happened: str, remedy: str) -> None:
        super().__init__(happened)
        self.happened = happened
        self.remedy = remedy

    def with_remedy(self, remedy: str) -> Self:
        """The same error with another remedy."""
        error = self.__class__.__new__(self.__class__, *self.args)
        error.__dict__.update(self.__dict__, remedy=remedy)
        return error


class UsageError(ScaffoldError):
    """The command line, or an answer given to a question, is not acceptable."""

    exit_code = 2


class Bug(ScaffoldError):
    """An exception that scaffold does not expect."""

    exit_code = 70


class Interrupted(ScaffoldError):
    """The user pressed Ctrl-C."""

    exit_code = 130
