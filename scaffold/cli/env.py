"""The options of `scaffold env`, by subcommand."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from scaffold.cli.options import Json, Plan, Profile, Root
from scaffold.cli.shared import Group
from scaffold.console.console import Console

Name = Annotated[str, typer.Argument(metavar="NAME", help="The environment.", show_default=False)]
Production = Annotated[
    str | None,
    typer.Option(metavar="ENV", help="Make this environment production; asks for its name.", show_default="no change"),
]
Commit = Annotated[bool, typer.Option("--commit", help="Commit the change.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask for a name to be typed.")]

app = typer.Typer(cls=Group, add_completion=False, rich_markup_mode=None)


@app.callback(invoke_without_command=True)
def env(context: typer.Context) -> None:
    """List, add and remove the environments of a service.

    \b
    Examples:
      scaffold env list
      scaffold env add qa --after dev --commit
    """
    if context.invoked_subcommand is None:
        print(context.get_help())
        raise typer.Exit


@app.command("list")
def list_environments(directory: Root = Path(), as_json: Json = False) -> int:
    """List the environments of a service, in order of promotion, with what they cost.

    AWS is not asked; `scaffold status` says what runs.

    \b
    Examples:
      scaffold env list --json
    """
    from scaffold.commands.env import list_environments as run
    from scaffold.views.env import environments_text

    return Console(json=as_json).render(run(directory), environments_text)


@app.command()
def add(
    name: Name,
    before: Annotated[
        str | None,
        typer.Option(metavar="ENV", help="The environment that follows it.", show_default="production"),
    ] = None,
    after: Annotated[
        str | None, typer.Option(metavar="ENV", help="The environment that it follows.", show_default=False)
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="A setting of its own, such as cpu=512; repeatable."),
    ] = None,
    production: Production = None,
    commit: Commit = False,
    directory: Root = Path(),
    plan: Plan = False,
    yes: Yes = False,
    as_json: Json = False,
) -> int:
    """Add an environment to a service.

    \b
    Examples:
      scaffold env add qa
      scaffold env add dr --after prod --set min_tasks=1 --commit

    \b
    Exit codes: 0 added; 1 failed, nothing written; 2 an option or a setting is wrong; 3 conflicts
    left; 10 with --plan; 130 Ctrl-C.
    """
    from scaffold.commands.env import AddOptions
    from scaffold.commands.env import add as run
    from scaffold.kit.answers import split_pairs
    from scaffold.views.env import change_text

    console = Console(json=as_json)
    own = split_pairs(settings or [], "--set", "cpu=512")
    options = AddOptions(name, directory, production, plan, commit, yes, before, after, own)
    return console.render(run(options, console), change_text)


@app.command()
def remove(
    name: Name,
    production: Production = None,
    keep_stacks: Annotated[
        bool, typer.Option("--keep-stacks", help="Delete nothing in AWS, and ask nothing there.")
    ] = False,
    commit: Commit = False,
    directory: Root = Path(),
    profile: Profile = None,
    plan: Plan = False,
    yes: Yes = False,
    as_json: Json = False,
) -> int:
    """Delete the stacks of an environment, then remove it from the service.

    \b
    Examples:
      scaffold env remove qa --plan
      scaffold env remove qa --commit

    \b
    Exit codes: 0 removed; 1 failed; 2 an option is wrong; 3 conflicts left; 10 with --plan;
    130 Ctrl-C.
    """
    from scaffold.commands.env import RemoveOptions
    from scaffold.commands.env import remove as run
    from scaffold.views.env import change_text

    console = Console(json=as_json)
    options = RemoveOptions(name, directory, production, plan, commit, yes, profile, keep_stacks)
    return console.render(run(options, console), change_text)
