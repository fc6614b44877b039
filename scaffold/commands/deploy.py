"""`scaffold deploy`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from scaffold.console.console import Console
from scaffold.core.target import configured_target
from scaffold.deployment.deploy import DeployResult, deploy
from scaffold.service.service import read


@dataclass(frozen=True)
class DeployOptions:
    """What to deploy.

    Attributes:
        directory: The service's directory, or one inside it.
        profile: The AWS profile; None for the standard configuration chain.
        plan: Change nothing, and report what would change.
    """

    directory: Path = Path()
    profile: str | None = None
    plan: bool = False


def run(options: DeployOptions, console: Console) -> DeployResult:
    """Deploy a service's committed files to the account that the user's configuration selects."""
    service = read(options.directory)
    target = configured_target(service.region, options.profile)
    return deploy(service, target, plan=options.plan, console=console)
