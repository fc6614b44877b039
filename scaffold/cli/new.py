"""The options of `scaffold new`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from scaffold.cli.options import Json, Profile
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
        Path | None, typer.Option(metavar="FILE", help="Answers from a YAML or JSON file.", show_default=False)
    ] = None,
    defaults: Annotated[
        bool, typer.Option("--defaults", help="Do not prompt: use defaults for the other answers.")
    ] = False,
    kit: Annotated[
        str | None,
        typer.Option(metavar="SOURCE", help="The kit: a folder, a Git URL, git+codecommit::…", show_default="embedded"),
    ] = None,
    kit_version: Annotated[
        str | None, typer.Option(metavar="REF", help="The kit's tag or commit.", show_default="newest")
    ] = None,
    deploy: Annotated[
        bool | None,
        typer.Option("--deploy/--no-deploy", help="Deploy without asking. This creates billable resources."),
    ] = None,
    local: Annotated[
        bool, typer.Option("--local", help="Deploy to local AWS, without an account; implies --deploy.")
    ] = False,
    profile: Profile = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show the files, the stacks and the monthly cost; write nothing.")
    ] = False,
    as_json: Json = False,
) -> int:
    """Generate a service.

    Writes its code, pipeline and infrastructure to a Git repository with a first commit.
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
