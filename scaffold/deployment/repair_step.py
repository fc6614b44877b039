"""What every step of a repair can do, look and repair, and what it finds."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from datetime import datetime

from scaffold.aws.cloudformation.rollbacks import FailedResource
from scaffold.console.console import Console
from scaffold.core.errors import ScaffoldError
from scaffold.core.results import Change

# What cannot be undone, or stops a release. `delete` of what is empty is among them: its owner may still want it.
_CONFIRMED = {"delete", "skip", "cancel-update", "roll-back", "revert-drift"}


@dataclass(frozen=True)
class Problem:
    """Something that is stuck, and its repair.

    Attributes:
        type: What kind of thing it is, as in a Change.
        state: A stack's status, `drifted`, `off` for deletion protection, or the state of the
            foundation's data: `missing`, `pending-deletion`, `disabled`.
        changes: What the repair changes, in order.
        failures: The resources because of which a rollback failed.
        since: When the operation that it waits for began.
    """

    type: str
    name: str
    state: str
    changes: tuple[Change, ...]
    failures: tuple[FailedResource, ...] = ()
    since: datetime | None = None

    @property
    def confirmed(self) -> bool:
        """Whether the repair has to be confirmed."""
        return any(change.action in _CONFIRMED for change in self.changes)


@dataclass(frozen=True)
class Undecided:
    """A stack that stays stuck until a person has decided something.

    Attributes:
        environment: Its environment; None for a stack that the service has once.
        happened: One sentence on what there is to decide.
        remedy: One sentence on what to do, with the command.
    """

    stack: str
    status: str
    environment: str | None
    happened: str
    remedy: str

    @property
    def error(self) -> ScaffoldError:
        """The same as the end of a command that has nothing else to do."""
        return ScaffoldError(self.happened, self.remedy)


class Repair(ABC):
    """One step of a repair."""

    @abstractmethod
    def look(self) -> Problem:
        """What is stuck, reading only."""

    @abstractmethod
    def do(self, console: Console) -> None:
        """Do what `look` has found, and wait for its end.

        Raises:
            ScaffoldError: It failed; the later steps were not started.
        """
