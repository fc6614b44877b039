"""The options of `scaffold exec`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from scaffold.cli.options import Profile, Root
from scaffold.console.console import Console


def exec(  # noqa: A001 (the command's name)
    environment: Annotated[str, typer.Argument(metavar="ENV", help="The environment.")],
    command: Annotated[
        list[str] | None,
        typer.Argument(metavar="-- COMMAND…", help="What to run in the task.", show_default="/bin/sh"),
    ] = None,
    task: Annotated[
        str | None, typer.Option(metavar="ID", help="The id of the task.", show_default="the newest one")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Open it in production, too.")] = False,
    directory: Root = Path(),
    profile: Profile = None,
) -> int:
    """Open a shell in a running task, or run a command there.

    The service's answer `exec` has to name the environment. ECS logs what happens in the shell,
    and CloudTrail who has opened it. Needs AWS's Session Manager plugin. ECS does not say how a
    command has ended: the exit code is that of the connection.

    \b
    Examples:
      scaffold exec dev
      scaffold exec prod --yes -- node --version
    """
    from scaffold.commands.exec import ExecOptions, run

    return run(ExecOptions(environment, tuple(command or ()), task, directory, profile, yes), Console())
