"""The options of `scaffold override`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from scaffold.cli.options import Execution, Json, Profile, Root
from scaffold.console.console import Console


def override(
    stage: Annotated[str, typer.Argument(metavar="STAGE", help="The stage, or its environment.", show_default=False)],
    reason: Annotated[str, typer.Option(metavar="TEXT", help="What the team reads about it.", show_default=False)],
    directory: Root = Path(),
    execution: Execution = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Override without asking.")] = False,
    profile: Profile = None,
    as_json: Json = False,
) -> int:
    """Override a condition that blocks a release.

    A deployment window before a stage, or the time that a release soaks after one. The reason is
    recorded as a comment on the commit. Without a terminal it needs --yes and --execution.

    \b
    Examples:
      scaffold override Prod --reason 'Fixes the outage'
    """
    from scaffold.commands.override import OverrideOptions, run
    from scaffold.views.override import describe, text

    console = Console(json=as_json)
    options = OverrideOptions(stage, reason, directory, execution, profile, yes)
    return console.render(run(options, console, describe), text)
