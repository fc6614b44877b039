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
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask for the name to be typed.")] = False,
    plan: Plan = False,
    profile: Profile = None,
    as_json: Json = False,
) -> int:
    """Delete a service from AWS.

    Everything that `deploy` and the pipeline created there, after typing the service's name.
    """
    from scaffold.commands.destroy import DestroyOptions, run
    from scaffold.views.destroy import text

    console = Console(json=as_json)
    options = DestroyOptions(directory, environment, profile, plan, yes)
    return console.render(run(options, console), text)
