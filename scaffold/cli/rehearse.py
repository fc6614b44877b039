"""The options of `scaffold rehearse`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from scaffold.cli.options import Json, ServiceDirectory
from scaffold.console.console import Console


def rehearse(
    directory: ServiceDirectory = Path(),
    until: Annotated[
        str | None,
        typer.Option(metavar="STAGE", help="End once this stage has succeeded.", show_default="the last one"),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Approve releases without asking.")] = False,
    scan_findings: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Let the image scan find this, in its engine's JSON.", show_default="no findings"
        ),
    ] = None,
    fail: Annotated[
        str | None, typer.Option(metavar="STAGE/ACTION", help="Let this action fail.", show_default=False)
    ] = None,
    fault: Annotated[
        list[str] | None,
        typer.Option(
            metavar="ENVIRONMENT=FAULT",
            help="Let the released version have a fault: errors:20%, latency:2s, exit or unhealthy. Repeatable.",
            show_default=False,
        ),
    ] = None,
    speed: Annotated[
        float, typer.Option(metavar="N", min=1, help="Let N seconds of bakes and pauses pass in one second.")
    ] = 60,
    keep: Annotated[
        bool, typer.Option("--keep", help="Keep local AWS running at the end, until Ctrl-C, and the clone.")
    ] = False,
    as_json: Json = False,
) -> int:
    """Release a commit on a local AWS of its own.

    Deploys a clone of HEAD to a fresh local AWS and follows the pipeline to its end: builds,
    tests, environments. No account is reached, and the repository stays as it is.

    \b
    Examples:
      scaffold rehearse --yes
      scaffold rehearse --fault prod=errors:20% --yes
    """
    from scaffold.commands.rehearse import RehearseOptions, run
    from scaffold.views.rehearse import text
    from scaffold.views.releases import describe

    console = Console(json=as_json)
    options = RehearseOptions(directory, until, yes, scan_findings, fail, tuple(fault or ()), speed, keep)
    return run(options, console, describe, lambda result: console.render(result, text))
