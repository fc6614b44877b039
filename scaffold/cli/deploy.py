"""The options of `scaffold deploy`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from scaffold.cli.options import Json, Plan, Profile, ServiceDirectory
from scaffold.console.console import Console


def deploy(
    directory: ServiceDirectory = Path(),
    plan: Plan = False,
    wait: Annotated[
        bool, typer.Option("--wait", help="Follow the release; exit 11 when it waits for approval.")
    ] = False,
    profile: Profile = None,
    local: Annotated[
        bool, typer.Option("--local", help="Deploy to local AWS, without an account; start one if none runs.")
    ] = False,
    as_json: Json = False,
) -> int:
    """Deploy a service.

    Creates or updates its repository, foundation, permissions and pipeline on AWS, and
    prepares its environments, to which the pipeline then releases. Safe to repeat.

    \b
    Examples:
      scaffold deploy --plan
      scaffold deploy --wait
      scaffold deploy --local
    """
    from scaffold.commands.deploy import DeployOptions, run
    from scaffold.views.deploy import text

    console = Console(json=as_json)
    return console.render(run(DeployOptions(directory, profile, plan, wait, local), console), text)
