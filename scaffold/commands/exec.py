"""`scaffold exec`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from scaffold.console.console import Console
from scaffold.core.target import configured_target
from scaffold.deployment.shell import open_shell
from scaffold.service.service import read


@dataclass(frozen=True)
class ExecOptions:
    """Where to run what.

    Attributes:
        environment: The name of the environment.
        command: The words of the command; none for a shell.
        task: The id of the task; None for the newest one.
        directory: The service's directory, or one inside it.
        profile: The AWS profile; None for the standard configuration chain.
        yes: Whether it may be in production.
    """

    environment: str
    command: tuple[str, ...] = ()
    task: str | None = None
    directory: Path = Path()
    profile: str | None = None
    yes: bool = False


def run(options: ExecOptions, console: Console) -> int:
    """Open a shell in a running task, or run a command there; returns the exit code of the connection."""
    service = read(options.directory)
    target = configured_target(service.region, options.profile)
    return open_shell(
        service, target, options.environment, options.command, options.task, in_production=options.yes, console=console
    )
