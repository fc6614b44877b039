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
    notes: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Show the commits and the approver of one release, by its name or tag.",
            show_default=False,
        ),
    ] = None,
    profile: Profile = None,
    as_json: Json = False,
) -> int:
    """List the past releases of an environment.

    The newest first: name, version, commit and tags, when and by what it was started, who approved it, and
    how it ended. The release whose version answers now is marked.

    \b
    Examples:
      scaffold releases prod
      scaffold releases prod --limit 3 --json
    """
    from scaffold.commands.releases import ReleasesOptions, run, show_notes
    from scaffold.views import past_releases, release_notes

    console = Console(json=as_json)
    options = ReleasesOptions(environment, directory, limit, profile)
    if notes is not None:
        return console.render(show_notes(options, notes, console), release_notes.text)
    return console.render(run(options, console), past_releases.text)
