"""`scaffold deploy`."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from scaffold.console.console import Console
from scaffold.core.errors import UsageError
from scaffold.core.target import configured_target
from scaffold.deployment.deploy import deploy
from scaffold.deployment.deploy_result import DeployResult
from scaffold.deployment.follow import wait_for_release
from scaffold.service.service import read


@dataclass(frozen=True)
class DeployOptions:
    """What to deploy.

    Attributes:
        directory: The service's directory, or one inside it.
        profile: The AWS profile; None for the standard configuration chain.
        plan: Change nothing, and report what would change.
        wait: Follow the release of the deployed commit until it has succeeded, or waits for approval.
    """

    directory: Path = Path()
    profile: str | None = None
    plan: bool = False
    wait: bool = False


def run(options: DeployOptions, console: Console) -> DeployResult:
    """Deploy a service's committed files to the account that the user's configuration selects."""
    if options.plan and options.wait:
        raise UsageError("A plan releases nothing to wait for.", "Leave one of --plan and --wait out.")
    service = read(options.directory)
    target = configured_target(service.region, options.profile)
    if options.wait and not target.runs:
        raise UsageError(
            "This local AWS runs no pipelines, so there is no release to wait for.",
            "Leave --wait out, or leave this shell and start another local AWS without `--no-run`.",
        )
    result = deploy(service, target, plan=options.plan, console=console)
    if not options.wait:
        return result
    return replace(result, release=wait_for_release(service, target, result.commit, console))
