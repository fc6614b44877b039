"""The options of `scaffold new`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from scaffold.cli.options import Json, KitSource, KitVersion, Profile
from scaffold.console.console import Console


def new(
    dest: Annotated[
        Path | None,
        typer.Argument(metavar="DEST", help="The service's folder, new or empty.", show_default="./<app_name>"),
    ] = None,
    data: Annotated[
        list[str] | None,
        typer.Option(metavar="KEY=VALUE", help="Answer one question; repeatable.", show_default=False),
    ] = None,
    answers: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Answers from a YAML, JSON or TOML file; - for stdin.", show_default=False),
    ] = None,
    defaults: Annotated[
        bool,
        typer.Option("--defaults", "--yes", "-y", help="Do not prompt: use defaults for the other answers."),
    ] = False,
    kit: KitSource = None,
    kit_version: KitVersion = None,
    deploy: Annotated[
        bool | None,
        typer.Option("--deploy/--no-deploy", help="Deploy without asking. This creates billable resources."),
    ] = None,
    local: Annotated[
        bool, typer.Option("--local", help="Deploy to local AWS, without an account; implies --deploy.")
    ] = False,
    profile: Profile = None,
    dry_run: Annotated[
        bool,
        typer.Option("--plan", "--dry-run", help="Show the files, the stacks and the monthly cost; write nothing."),
    ] = False,
    as_json: Json = False,
) -> int:
    """Generate a service.

    Writes its code, pipeline and infrastructure to a Git repository with a first commit.

    \b
    Examples:
      scaffold new payments
      scaffold new payments --defaults --data environments=dev,prod
      scaffold new payments --answers team.yml --plan
    """
    from scaffold.commands.new import NewOptions, run
    from scaffold.kit.answers import split_pairs
    from scaffold.views.new import text

    options = NewOptions(
        dest=dest,
        data=split_pairs(data or []),
        answers_file=answers,
        defaults=defaults,
        kit=kit,
        kit_version=kit_version,
        deploy=deploy,
        local=local,
        profile=profile,
        dry_run=dry_run,
    )
    console = Console(json=as_json)
    return console.render(run(options, console), text)
