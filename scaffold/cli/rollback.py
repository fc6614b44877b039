"""The options of `scaffold rollback`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from scaffold.cli.options import Json, Profile, Root
from scaffold.console.console import Console


def rollback(
    environment: Annotated[
        str | None,
        typer.Argument(metavar="ENV", help="The environment to roll back.", show_default="production"),
    ] = None,
    to: Annotated[
        str | None,
        typer.Option(
            metavar="RELEASE",
            help="The name, version, Git tag or commit of the release to roll back to.",
            show_default="what ran before",
        ),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Roll back without asking.")] = False,
    directory: Root = Path(),
    profile: Profile = None,
    as_json: Json = False,
) -> int:
    """Roll an environment back.

    Stops an ECS deployment under way, which is rolled back then; otherwise the pipeline runs the
    stage again with an earlier release. In production it also disables the transition into the
    first of its stages, until `scaffold retry`. Without a terminal it needs --yes.

    \b
    Examples:
      scaffold rollback
      scaffold rollback staging --to v2026.11.3
    """
    from scaffold.commands.rollback import RollbackOptions, run
    from scaffold.views.rollback import describe, text

    console = Console(json=as_json)
    options = RollbackOptions(directory, environment, to, profile, yes)
    return console.render(run(options, console, describe), text)
