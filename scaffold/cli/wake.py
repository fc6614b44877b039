"""The options of `scaffold wake`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from scaffold.cli.options import Json, Profile, Root
from scaffold.console.console import Console


def wake(
    environment: Annotated[str, typer.Argument(metavar="ENV", help="The environment.")],
    directory: Root = Path(),
    profile: Profile = None,
    as_json: Json = False,
) -> int:
    """Wake an environment outside of its office hours.

    Its tasks start within a few minutes and run for two hours at least, until the evening after
    that. A release needs no `scaffold wake`: the pipeline wakes the environment itself.

    \b
    Examples:
      scaffold wake dev
      scaffold wake staging --json
    """
    from scaffold.commands.wake import WakeOptions, run
    from scaffold.views.wake import text

    console = Console(json=as_json)
    return console.render(run(WakeOptions(environment, directory, profile), console), text)
