"""The options of `scaffold secret`, by subcommand."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from scaffold.cli.options import Json, Profile, Root
from scaffold.cli.shared import Group
from scaffold.console.console import Console
from scaffold.core.errors import UsageError

Name = Annotated[str, typer.Argument(metavar="NAME", help="The variable that has the value.", show_default=False)]
More = Annotated[list[str] | None, typer.Argument(hidden=True, help="Refused: a value would be seen.")]
Environment = Annotated[str, typer.Option("--env", metavar="ENV", help="The environment.", show_default=False)]
File = Annotated[
    str | None,
    typer.Option(metavar="PATH", help="The file with the value; - for stdin.", show_default="a prompt, or stdin"),
]
_STORE_HELP = "parameter-store, or secrets-manager, which costs 0.40 USD a month each."

app = typer.Typer(cls=Group, add_completion=False, rich_markup_mode=None)


@app.callback(invoke_without_command=True)
def secret(context: typer.Context) -> None:
    """Set, list, rotate and remove the secrets of a service.

    \b
    Examples:
      scaffold secret set DB_PASSWORD --env prod
      scaffold secret list
    """
    if context.invoked_subcommand is None:
        print(context.get_help())
        raise typer.Exit


@app.command("set")
def set_secret(
    name: Name,
    environment: Environment,
    more: More = None,
    store: Annotated[
        str | None, typer.Option(metavar="STORE", help=_STORE_HELP, show_default="parameter-store")
    ] = None,
    file: File = None,
    directory: Root = Path(),
    profile: Profile = None,
    as_json: Json = False,
) -> int:
    """Store a secret for an environment, and list its name in the repository.

    The value is typed at a prompt, or comes from stdin or a file, and is never shown. Commit what
    the command writes: the tasks get the secret with the release of that commit.

    \b
    Examples:
      scaffold secret set DB_PASSWORD --env dev
      pass show db | scaffold secret set DB_PASSWORD --env prod
    """
    from scaffold.commands.secret import SecretOptions, set_value
    from scaffold.views.secret import text

    _refuse_values(more)
    console = Console(json=as_json)
    options = SecretOptions(name, environment, store, file, directory, profile)
    return console.render(set_value(options, console, rotate=False), text)


@app.command("list")
def list_secrets(
    environment: Annotated[
        str | None, typer.Option("--env", metavar="ENV", help="The environment.", show_default="all")
    ] = None,
    directory: Root = Path(),
    profile: Profile = None,
    as_json: Json = False,
) -> int:
    """List the secrets of a service: store, last change, and which environments lack one.

    Values are neither read nor shown.

    \b
    Examples:
      scaffold secret list --env prod
    """
    from scaffold.commands.secret import list_all
    from scaffold.views.secret import list_text

    console = Console(json=as_json)
    return console.render(list_all(directory, environment, profile, console), list_text)


@app.command()
def rotate(
    name: Name,
    environment: Environment,
    more: More = None,
    file: File = None,
    directory: Root = Path(),
    profile: Profile = None,
    as_json: Json = False,
) -> int:
    """Store another value of a secret.

    Tasks read it when they start. The number in the repository that the command raises makes the
    release of that commit start new ones.

    \b
    Examples:
      scaffold secret rotate DB_PASSWORD --env prod
    """
    from scaffold.commands.secret import SecretOptions, set_value
    from scaffold.views.secret import text

    _refuse_values(more)
    console = Console(json=as_json)
    options = SecretOptions(name, environment, None, file, directory, profile)
    return console.render(set_value(options, console, rotate=True), text)


@app.command()
def remove(
    name: Name,
    environment: Environment,
    directory: Root = Path(),
    profile: Profile = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Remove without asking.")] = False,
    as_json: Json = False,
) -> int:
    """Delete a secret that the tasks of an environment do not get any more.

    A secret that the repository lists for the environment is not deleted; the message says what to
    release first.

    \b
    Examples:
      scaffold secret remove DB_PASSWORD --env dev
    """
    from scaffold.commands.secret import SecretOptions
    from scaffold.commands.secret import remove as run
    from scaffold.views.secret import text

    console = Console(json=as_json)
    options = SecretOptions(name, environment, None, None, directory, profile, yes)
    return console.render(run(options, console), text)


def _refuse_values(more: list[str] | None) -> None:
    if more:
        raise UsageError(
            "The value is not an argument: shells and lists of processes would show it.",
            "Type it at the prompt, pipe it to the command, or name a file with `--file`; replace the one you typed.",
        )
