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
        str | None, typer.Option(metavar="ENV", help="Delete this environment only.", show_default=False)
    ] = None,
    data: Annotated[
        bool, typer.Option("--data", help="Delete buckets, queues, tables and snapshots of databases too.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Delete without asking for the service's name.")] = False,
    plan: Plan = False,
    profile: Profile = None,
    as_json: Json = False,
) -> int:
    """Delete a service from AWS.

    Deletes everything that `deploy` and the pipeline created, after you have typed the service's name. Without --data,
    buckets, queues and tables are kept, and databases leave snapshots.

    \b
    Examples:
      scaffold destroy --plan
      scaffold destroy --environment qa
    """
    from scaffold.commands.destroy import DestroyOptions, run
    from scaffold.views.destroy import text

    console = Console(json=as_json)
    options = DestroyOptions(directory, environment, data, profile, plan, yes)
    return console.render(run(options, console), text)
