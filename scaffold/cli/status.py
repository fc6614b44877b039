"""The options of `scaffold status`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from scaffold.cli.options import Json, Profile, ServiceDirectory
from scaffold.console.console import Console


def status(
    directory: ServiceDirectory = Path(),
    watch: Annotated[bool, typer.Option("--watch", help="Look again every five seconds, until Ctrl-C.")] = False,
    drift: Annotated[
        bool, typer.Option("--drift", help="Compare the stacks with the commits; exit 12 if they were changed in AWS.")
    ] = False,
    profile: Profile = None,
    as_json: Json = False,
) -> int:
    """Show what a service's pipeline and environments are doing.

    For each environment: the version that answers, its commit and what main has beyond it,
    image and scan, tasks, alarms, URL and last deployment. Nothing is changed.

    \b
    Examples:
      scaffold status --watch
      scaffold status --json
    """
    from scaffold.commands.status import StatusOptions, run
    from scaffold.views.status import text

    console = Console(json=as_json)
    return console.render(run(StatusOptions(directory, profile, watch, drift), console, text), text)
