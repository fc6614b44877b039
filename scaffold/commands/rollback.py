"""`scaffold rollback`."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from scaffold.console.console import Console
from scaffold.console.prompt import confirm
from scaffold.core.target import configured_target
from scaffold.deployment.confirmation import check_interactive
from scaffold.deployment.rollback import RollbackPlan, RollbackResult, rollback
from scaffold.service.service import read


@dataclass(frozen=True)
class RollbackOptions:
    """What to roll back.

    Attributes:
        directory: The service's directory, or one inside it.
        environment: None for production.
        to: The name, version, Git tag or commit to roll back to; None for what ran before.
        profile: The AWS profile; None for the standard configuration chain.
        yes: Roll back without asking.
    """

    directory: Path = Path()
    environment: str | None = None
    to: str | None = None
    profile: str | None = None
    yes: bool = False


def run(
    options: RollbackOptions, console: Console, describe: Callable[[RollbackPlan], Iterable[str]]
) -> RollbackResult:
    """Roll an environment back.

    Args:
        describe: The lines that show what a rollback does.
    """
    service = read(options.directory)
    target = configured_target(service.region, options.profile)

    def confirmed(plan: RollbackPlan) -> bool:
        if not options.yes:
            check_interactive(console, target, _words(options), "rolls back")
        for line in describe(plan):
            console.note(line)
        return options.yes or confirm(f"Roll {plan.environment} back?")

    return rollback(
        service, target, environment=options.environment, version=options.to, confirm=confirmed, console=console
    )


def _words(options: RollbackOptions) -> list[str]:
    """The command that rolls the same back without a prompt."""
    words = ["scaffold", "rollback", *([options.environment] if options.environment else [])]
    if options.to:
        words += ["--to", shlex.quote(options.to)]
    if options.directory != Path():
        words += ["--directory", shlex.quote(str(options.directory))]
    return [*words, "--yes"]
