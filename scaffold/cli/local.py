"""The arguments of `scaffold local`."""

from __future__ import annotations

from typing import Annotated

import typer

from scaffold.console.console import Console

# Everything after the first argument belongs to the command that runs inside.
CONTEXT_SETTINGS = {"allow_interspersed_args": False}


def local(
    command: Annotated[
        list[str] | None,
        typer.Argument(metavar="COMMAND…", help="Run inside local AWS, then stop it.", show_default=False),
    ] = None,
    runs: Annotated[
        bool, typer.Option("--run", help="Run pipelines, builds and services; otherwise they are only stored.")
    ] = False,
    speed: Annotated[
        float,
        typer.Option(metavar="N", min=1, help="With --run: let N seconds of bakes and pauses pass in one second."),
    ] = 1,
) -> int:
    """Run local AWS.

    Runs the embedded stand-in for an AWS account in the foreground, or around a command with
    `scaffold local -- COMMAND…`.
    """
    from scaffold.commands.local import run

    return run(command or [], Console(), runs=runs, speed=speed)
