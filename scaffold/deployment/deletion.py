"""What every step of a teardown can do, look and delete, and its report."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from datetime import datetime

from scaffold.console.console import Console
from scaffold.console.titles import done, physical_title
from scaffold.core.results import Change


@dataclass(frozen=True)
class Kept:
    """Something that still exists after a teardown.

    Attributes:
        type: What kind of thing it is, as in a Change.
        reason: `retained` by its template, of the `data` of an environment, in its `waiting-period`, `shared` with
            other services, left as a `snapshot`, `foreign` (of another owner), or `unpulled-commits`, which this clone
            lacks.
        until: The end of the waiting period.
        commits: How many commits this clone lacks.
    """

    type: str
    name: str
    reason: str
    until: datetime | None = None
    commits: int = 0


@dataclass
class Report:
    """What a teardown has changed and kept, in order."""

    changes: list[Change] = field(default_factory=list)
    kept: list[Kept] = field(default_factory=list)

    def record(self, change: Change, console: Console) -> None:
        """Add a change, and show it."""
        self.changes.append(change)
        console.step(f"{done(change.action)} {physical_title(change.type, change.name)}")


class Deletion(ABC):
    """One step of a teardown."""

    @abstractmethod
    def look(self) -> Report:
        """What exists and would be deleted, and what would be kept."""

    @abstractmethod
    def do(self, report: Report, console: Console) -> None:
        """Delete it, and report what is deleted and what is kept.

        Raises:
            ScaffoldError: Something could not be deleted; the later steps were not started.
        """
