"""`scaffold deploy`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from scaffold.aws.botocore_failures import SIGN_IN_OR_NAME
from scaffold.aws.errors import says_no_credentials
from scaffold.console.console import Console
from scaffold.core.errors import ScaffoldError, UsageError
from scaffold.core.target import Target, configured_target
from scaffold.deployment.deploy import deploy
from scaffold.deployment.deploy_result import DeployResult
from scaffold.deployment.follow import wait_for_release
from scaffold.local import selection
from scaffold.local.environment import running_local_aws
from scaffold.service import preflight
from scaffold.service.service import Service, read

_DEPLOY = re.compile(r"\bscaffold deploy\b(?! --local)")


@dataclass(frozen=True)
class DeployOptions:
    """What to deploy.

    Attributes:
        directory: The service's directory, or one inside it.
        profile: The AWS profile; None for the standard configuration chain.
        plan: Change nothing, and report what would change.
        wait: Follow the release of the deployed commit until it has succeeded, or waits for approval.
        local: Deploy to local AWS, whatever account the user's configuration selects: that of this shell, the one in
            the background, or one that is started there.
    """

    directory: Path = Path()
    profile: str | None = None
    plan: bool = False
    wait: bool = False
    local: bool = False


def run(options: DeployOptions, console: Console) -> DeployResult:
    """Deploy a service's committed files to local AWS, or to the account that the user's configuration selects."""
    if options.plan and options.wait:
        raise UsageError("A plan releases nothing to wait for.", "Leave one of --plan and --wait out.")
    if options.local and options.profile:
        raise UsageError("Local AWS has no profiles.", "Leave one of --local and --profile out.")
    service = read(options.directory)
    if options.local:
        return _deploy_locally(service, options, console)
    try:
        return _deploy(service, configured_target(service.region, options.profile), options, console)
    except ScaffoldError as error:
        if not says_no_credentials(error):
            raise
        remedy = f"{SIGN_IN_OR_NAME}, or try it without an account: `scaffold deploy --local`."
        raise error.with_remedy(remedy) from error


def _deploy(service: Service, target: Target, options: DeployOptions, console: Console) -> DeployResult:
    if options.wait and not target.runs:
        raise UsageError(
            "This local AWS runs no pipelines, so there is no release to wait for.",
            "Leave --wait out, or end it (`scaffold local stop`, or leave this shell) and start another one without "
            "`--no-run`.",
        )
    result = deploy(service, target, plan=options.plan, console=console)
    if not options.wait:
        return result
    return replace(result, release=wait_for_release(service, target, result.commit, console))


def _deploy_locally(service: Service, options: DeployOptions, console: Console) -> DeployResult:
    preflight.deployable_commit(service)  # Otherwise local AWS would run, and hold nothing.
    selected = selection.find(service.region)
    if selected is None and options.plan:
        console.note("No local AWS is running: this is the plan for an empty one.")
        with running_local_aws(service.region) as empty, _local_remedies(""):
            return _deploy(service, empty.target, options, console)
    if selected is None:
        console.note("Starting local AWS in the background.")
        selected = selection.start(service.region)
        console.step(f"Local AWS is running in the background, at {selected.url}")
    with _local_remedies(selected.reach):
        result = _deploy(service, selected.target, options, console)
    return replace(result, background=selected.url if selected.reach else None)


@contextmanager
def _local_remedies(reach: str) -> Iterator[None]:
    """Let the remedies of errors name commands that work on the same local AWS."""
    try:
        yield
    except ScaffoldError as error:
        remedy = _DEPLOY.sub("scaffold deploy --local", error.remedy)
        raise error.with_remedy(selection.reaching(remedy, reach)) from error
