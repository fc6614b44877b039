"""The options of `scaffold logs`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from scaffold.cli.options import Json, Profile, Root
from scaffold.console.console import Console


def logs(
    of: Annotated[
        str | None,
        typer.Argument(
            metavar="[ENV|ID]",
            help="The environment; with --build, the id of a build.",
            show_default="the newest build",
        ),
    ] = None,
    build: Annotated[bool, typer.Option("--build", help="Show the log of a build.")] = False,
    follow: Annotated[bool, typer.Option("--follow", help="Wait for further lines, until Ctrl-C.")] = False,
    since: Annotated[
        str | None,
        typer.Option(
            metavar="DURATION", help="Show lines of this last time, such as 30s, 15m, 2h or 1d.", show_default="15m"
        ),
    ] = None,
    directory: Root = Path(),
    profile: Profile = None,
    as_json: Json = False,
) -> int:
    """Show the log of an environment or of a build.

    Lines go to stdout as the service wrote them. `scaffold logs --build` shows the whole log of
    the newest build, `scaffold logs --build ID` that of another one.

    \b
    Examples:
      scaffold logs prod --since 2h
      scaffold logs --build --follow
    """
    from scaffold.commands.logs import LogsOptions, run

    console = Console(json=as_json)
    result = run(LogsOptions(directory, of, build, follow, since, profile), console)
    return console.render(result, str) if result and as_json else 0
