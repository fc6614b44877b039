"""`scaffold update`: brings a service to another version of its kit, or to other answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from scaffold.console.console import Console
from scaffold.update.recorded import read
from scaffold.update.result import UpdateResult, make


@dataclass(frozen=True)
class UpdateOptions:
    """What to update, and to what.

    Attributes:
        directory: The service's directory, or one inside.
        data: New answers.
        to: The kit's tag or commit; `current` for the recorded one, None for the newest.
        plan: Write nothing.
    """

    directory: Path = Path()
    data: Mapping[str, str] = field(default_factory=dict)
    to: str | None = None
    plan: bool = False


def run(options: UpdateOptions, console: Console) -> UpdateResult:
    """Update a service, or find out what an update would do.

    Raises:
        ScaffoldError: The service cannot be updated, or an answer or the version is not acceptable.
    """
    result, _ = make(read(options.directory), options.data, options.to, plan=options.plan, console=console)
    return result
