"""`scaffold repair`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from scaffold.console.console import Console
from scaffold.console.prompt import confirm_by_name
from scaffold.core.target import configured_target
from scaffold.deployment.repair import RepairResult, repair
from scaffold.service.service import read


@dataclass(frozen=True)
class RepairOptions:
    """What to repair.

    Attributes:
        directory: The service's directory, or one inside it.
        environment: The environment to repair; None for the whole service.
        skip: Resources that a failed rollback leaves as they are.
        profile: The AWS profile; None for the standard configuration chain.
        plan: Change nothing, and report what is stuck.
        yes: Do not ask for the service's name to be typed.
    """

    directory: Path = Path()
    environment: str | None = None
    skip: tuple[str, ...] = ()
    profile: str | None = None
    plan: bool = False
    yes: bool = False


def run(options: RepairOptions, console: Console) -> RepairResult:
    """Repair a service, or one environment of it, in the account that the user's configuration selects."""
    service = read(options.directory)
    return repair(
        service,
        configured_target(service.region, options.profile),
        environment=options.environment,
        skip=options.skip,
        plan=options.plan,
        confirm=lambda name: options.yes or confirm_by_name(name, console, done="changed"),
        console=console,
    )
