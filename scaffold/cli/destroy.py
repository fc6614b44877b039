"""The options of `scaffold destroy`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from scaffold.cli.options import Json, Plan, Profile, ServiceDirectory
from scaffold.console.console import Console


def destroy(
    directory: ServiceDirectory = Path(),
    environment: Annotated[
        str | None, typer.Option(metavar="NAME", help="Delete this environment only.", show_default=False)
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Delete without asking for the service's name.")] = False,
    plan: Plan = False,
    profile: Profile = None,
    as_json: Json = False,
) -> int:
    """Delete a service from AWS.

    Deletes everything that `deploy` and the pipeline created, after you have typed the service's name.
    """
    from scaffold.commands.destroy import DestroyOptions, run
    from scaffold.views.destroy import text

    console = Console(json=as_json)
    options = DestroyOptions(directory, environment, profile, plan, yes)
    return console.render(run(options, console), text)
