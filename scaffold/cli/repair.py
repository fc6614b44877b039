"""The options of `scaffold repair`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from scaffold.cli.options import Json, Plan, Profile
from scaffold.console.console import Console


def repair(
    environment: Annotated[
        str | None,
        typer.Argument(
            metavar="ENV", help="Repair this environment only; also stops its operations.", show_default="the service"
        ),
    ] = None,
    directory: Annotated[
        Path,
        typer.Option(metavar="DIRECTORY", help="The service's repository.", show_default="the current directory"),
    ] = Path(),
    skip: Annotated[
        list[str] | None,
        typer.Option(
            metavar="RESOURCE", help="Leave this resource out of a failed rollback; repeatable.", show_default=False
        ),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Repair without asking for the service's name.")] = False,
    plan: Plan = False,
    profile: Profile = None,
    as_json: Json = False,
) -> int:
    """Repair a service whose stacks are stuck.

    Continues failed rollbacks, deletes stacks that were never finished, and restores the
    foundation's key, bucket and image repository. With ENV it also cancels the update that
    this environment waits for, and rolls its ECS deployment back.

    \b
    Examples:
      scaffold repair
      scaffold repair dev --plan
    """
    from scaffold.commands.repair import RepairOptions, run
    from scaffold.views.repair import text

    console = Console(json=as_json)
    options = RepairOptions(directory, environment, tuple(skip or ()), profile, plan, yes)
    return console.render(run(options, console), text)
