"""The options of `scaffold retry`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from scaffold.cli.options import Json, Profile, Root
from scaffold.console.console import Console


def retry(
    stage: Annotated[
        str | None,
        typer.Argument(
            metavar="STAGE", help="The stage, or its environment.", show_default="the only stage that failed"
        ),
    ] = None,
    directory: Root = Path(),
    all_actions: Annotated[
        bool, typer.Option("--all-actions", help="Run the stage's successful actions again, too.")
    ] = False,
    profile: Profile = None,
    as_json: Json = False,
) -> int:
    """Retry a failed stage of the pipeline.

    The execution continues with the actions that failed, and after them with the later stages.
    After `scaffold rollback` it enables the transition into the stage instead.

    \b
    Examples:
      scaffold retry
      scaffold retry Prod --all-actions
    """
    from scaffold.commands.retry import RetryOptions, run
    from scaffold.views.retry import text

    console = Console(json=as_json)
    return console.render(run(RetryOptions(directory, stage, all_actions, profile), console), text)
