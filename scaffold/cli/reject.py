"""The options of `scaffold reject`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from scaffold.cli.options import Execution, Json, Message, Profile, ReleasedTo, Root
from scaffold.console.console import Console


def reject(
    environment: ReleasedTo = None,
    directory: Root = Path(),
    message: Message = "",
    execution: Execution = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Reject without asking.")] = False,
    profile: Profile = None,
    as_json: Json = False,
) -> int:
    """Reject the release that waits in the pipeline.

    The environment stays as it is, and so do those after it. Without a terminal it needs
    --yes and --execution.

    \b
    Examples:
      scaffold reject prod --message 'The search is slower'
    """
    from scaffold.commands.decision import DecisionOptions, run
    from scaffold.deployment.approval import Rejection
    from scaffold.views.releases import describe, text

    console = Console(json=as_json)
    options = DecisionOptions(directory, environment, message, execution, profile, yes)
    return console.render(run(options, Rejection, console, describe), text)
