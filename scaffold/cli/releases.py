"""The options of `scaffold releases`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from scaffold.cli.options import Json, Profile, Root
from scaffold.console.console import Console


def releases(
    environment: Annotated[str, typer.Argument(metavar="ENV", help="The environment.", show_default=False)],
    directory: Root = Path(),
    limit: Annotated[int, typer.Option(metavar="NUMBER", min=1, max=100, help="The most releases to list.")] = 10,
    profile: Profile = None,
    as_json: Json = False,
) -> int:
    """List the past releases of an environment.

    The newest first: version, commit and tags, when and by what it was started, who approved it, and
    how it ended. The release whose version answers now is marked.
    """
    from scaffold.commands.releases import ReleasesOptions, run
    from scaffold.views.past_releases import text

    console = Console(json=as_json)
    return console.render(run(ReleasesOptions(environment, directory, limit, profile), console), text)
