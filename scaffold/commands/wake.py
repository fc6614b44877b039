"""`scaffold wake`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from scaffold.console.console import Console
from scaffold.core.target import configured_target
from scaffold.deployment.wake import WakeResult, wake
from scaffold.service.service import read


@dataclass(frozen=True)
class WakeOptions:
    """What to wake.

    Attributes:
        environment: The name of the environment.
        directory: The service's directory, or one inside it.
        profile: The AWS profile; None for the standard configuration chain.
    """

    environment: str
    directory: Path = Path()
    profile: str | None = None


def run(options: WakeOptions, console: Console) -> WakeResult:
    """Wake an environment outside of its office hours."""
    service = read(options.directory)
    target = configured_target(service.region, options.profile)
    return wake(service, target, environment=options.environment, console=console)
