"""The options of `scaffold open`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from scaffold.cli.options import Json, Profile, Root
from scaffold.console.console import Console


def open(  # noqa: A001 (the command's name)
    environment: Annotated[
        str | None,
        typer.Argument(metavar="ENV", help="The environment whose page it is.", show_default="production"),
    ] = None,
    pipeline: Annotated[bool, typer.Option("--pipeline", help="Open the pipeline in the AWS console.")] = False,
    dashboard: Annotated[bool, typer.Option("--dashboard", help="Open the environment's dashboard there.")] = False,
    repository: Annotated[bool, typer.Option("--repository", help="Open the repository there.")] = False,
    print_only: Annotated[bool, typer.Option("--print", help="Print the address and open nothing.")] = False,
    directory: Root = Path(),
    profile: Profile = None,
    as_json: Json = False,
) -> int:
    """Open a service in the browser, or its page in the AWS console.

    Prints the address too. Local AWS has no console.

    \b
    Examples:
      scaffold open prod
      scaffold open --pipeline --print
    """
    from scaffold.commands.open import OpenOptions, run

    flags = {"pipeline": pipeline, "dashboard": dashboard, "repository": repository}
    console = Console(json=as_json)
    chosen = tuple(page for page, wanted in flags.items() if wanted)
    options = OpenOptions(directory, environment, chosen, print_only, profile)
    return console.render(run(options, console), lambda result: result.url)
