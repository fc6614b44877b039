"""`scaffold retry`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from scaffold.console.console import Console
from scaffold.core.target import configured_target
from scaffold.deployment.retry import RetryResult, retry
from scaffold.service.service import read


@dataclass(frozen=True)
class RetryOptions:
    """What to retry.

    Attributes:
        directory: The service's directory, or one inside it.
        stage: The stage, or its environment; None for the only one that failed.
        all_actions: Run the stage's successful actions again, too.
        profile: The AWS profile; None for the standard configuration chain.
    """

    directory: Path = Path()
    stage: str | None = None
    all_actions: bool = False
    profile: str | None = None


def run(options: RetryOptions, console: Console) -> RetryResult:
    """Retry a failed stage of a service's pipeline."""
    service = read(options.directory)
    return retry(
        service,
        configured_target(service.region, options.profile),
        stage=options.stage,
        all_actions=options.all_actions,
        console=console,
    )
