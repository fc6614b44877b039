"""The options of `scaffold doctor`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from scaffold.cli.options import Json, Profile
from scaffold.console.console import Console


def doctor(
    directory: Annotated[
        Path | None,
        typer.Argument(
            metavar="DIRECTORY", help="The service's repository.", show_default="the current directory, if it is one"
        ),
    ] = None,
    profile: Profile = None,
    as_json: Json = False,
) -> int:
    """Check what a deployment needs.

    Git, its author and git-remote-codecommit; credentials, account, region and CodeCommit; in a service also
    its permissions and quotas, the images of its Dockerfile and its kit. Each check comes with its fix.
    Nothing is changed. Exit code 1: something that a deployment needs has failed.

    \b
    Examples:
      scaffold doctor
      scaffold doctor payments --json
    """
    from scaffold.commands.doctor import DoctorOptions, run
    from scaffold.views.doctor import progress, text

    console = Console(json=as_json)
    return console.render(run(DoctorOptions(directory, profile), console, progress), text)
