"""The options of `scaffold update`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from scaffold.cli.options import Json, Plan, ServiceDirectory
from scaffold.console.console import Console


def update(
    directory: ServiceDirectory = Path(),
    data: Annotated[
        list[str] | None,
        typer.Option(metavar="KEY=VALUE", help="Change one answer; repeatable.", show_default=False),
    ] = None,
    to: Annotated[
        str | None,
        typer.Option(
            metavar="VERSION",
            help="The kit's tag or commit, or `current` to keep the version.",
            show_default="newest",
        ),
    ] = None,
    plan: Plan = False,
    as_json: Json = False,
) -> int:
    """Update a service to a newer kit, or to other answers.

    Merges what has changed in the kit into the work tree, beside your own changes, and commits
    nothing. Conflicts are listed, and left for you as Git does.

    \b
    Examples:
      scaffold update --plan
      scaffold update
      scaffold update --to current --data environments=dev,test,prod

    \b
    Exit codes: 0 updated, or up to date; 1 failed, nothing written; 2 an option or an answer is
    wrong; 3 conflicts left; 10 with --plan, changes; 130 Ctrl-C.
    """
    from scaffold.commands.update import UpdateOptions, run
    from scaffold.kit.answers import split_pairs
    from scaffold.views.update import text

    console = Console(json=as_json)
    options = UpdateOptions(directory, split_pairs(data or []), to, plan)
    return console.render(run(options, console), text)
