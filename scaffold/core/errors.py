"""Everything that may go wrong in a way its user can mend.

    ScaffoldError            1    the user can fix it
    ├── UsageError           2    the command line or an answer is wrong
    ├── ConflictsLeft        3    files with conflict markers wait for the user
    └── Interrupted        130    Ctrl-C

Each error is two sentences: what happened, and what to do about it. Anything
that is not a ScaffoldError is a bug and ends with exit code 70 and a log.
"""

from __future__ import annotations

EXIT_DONE = 0
EXIT_PLAN_HAS_CHANGES = 10
EXIT_BUG = 70


class ScaffoldError(Exception):
    """A failure that its user can mend.

    Args:
        happened: One sentence on what happened.
        remedy: One sentence on what to do now, with the command where there is one.
    """

    exit_code = 1

    def __init__(self, happened: str, remedy: str) -> None:
        super().__init__(happened)
        self.happened = happened
        self.remedy = remedy


class UsageError(ScaffoldError):
    """The command line, or an answer given to a question, is not acceptable."""

    exit_code = 2


class ConflictsLeft(ScaffoldError):
    """Conflict markers stand in the service's files and wait for a person."""

    exit_code = 3


class Interrupted(ScaffoldError):
    """The person pressed Ctrl-C."""

    exit_code = 130
