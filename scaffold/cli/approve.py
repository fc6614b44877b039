"""The options of `scaffold approve`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from scaffold.cli.options import Execution, Json, Message, Profile, ReleasedTo, Root
from scaffold.console.console import Console


def approve(
    environment: ReleasedTo = None,
    directory: Root = Path(),
    message: Message = "",
    execution: Execution = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Approve without asking.")] = False,
    profile: Profile = None,
    as_json: Json = False,
) -> int:
    """Approve the release that waits in the pipeline.

    Shows what waits: version, commits since the last release to this stage, changes of the
    service. Without a terminal it needs --yes and --execution.

    \b
    Examples:
      scaffold approve
      scaffold approve prod --message 'Tested by hand'
    """
    from scaffold.commands.decision import DecisionOptions, run
    from scaffold.deployment.approval import Approval
    from scaffold.views.releases import describe, text

    console = Console(json=as_json)
    options = DecisionOptions(directory, environment, message, execution, profile, yes)
    return console.render(run(options, Approval, console, describe), text)
