"""`scaffold destroy`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from scaffold.console.console import Console
from scaffold.console.prompt import confirm_by_name
from scaffold.core.target import configured_target
from scaffold.deployment.destroy import DestroyResult, destroy
from scaffold.service.service import read


@dataclass(frozen=True)
class DestroyOptions:
    """What to destroy.

    Attributes:
        directory: The service's directory, or one inside it.
        environment: The environment to delete; None for the whole service.
        with_data: Delete buckets, queues, tables and the snapshots of databases too.
        profile: The AWS profile; None for the standard configuration chain.
        plan: Change nothing, and report what would be deleted.
        yes: Do not ask for the service's name to be typed.
    """

    directory: Path = Path()
    environment: str | None = None
    with_data: bool = False
    profile: str | None = None
    plan: bool = False
    yes: bool = False


def run(options: DestroyOptions, console: Console) -> DestroyResult:
    """Delete a service, or one environment of it, from the account that the user's configuration selects."""
    service = read(options.directory)
    return destroy(
        service,
        configured_target(service.region, options.profile),
        environment=options.environment,
        with_data=options.with_data,
        plan=options.plan,
        confirm=lambda name: options.yes or confirm_by_name(name, console),
        console=console,
    )
