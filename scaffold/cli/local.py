"""The options of `scaffold local`, and its subcommands."""

from __future__ import annotations

import json
import shlex
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from scaffold.cli.options import Json
from scaffold.console.console import Console
from scaffold.core.errors import ScaffoldError, UsageError

# What `_Local` has found on the command line, in the context: the command to run, and whether options come first.
_COMMAND, _OPTIONS_FIRST = "scaffold.command", "scaffold.options_first"

Runs = Annotated[bool, typer.Option("--run/--no-run", help="Run pipelines, builds and services, or only store them.")]
Speed = Annotated[
    float | None,
    typer.Option(metavar="N", min=1, help="Let N seconds of bakes and pauses pass in one second.", show_default="1"),
]


class _Local(TyperGroup):
    """The group, in which everything after `--` is a command to run, whatever its name."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Keep the command apart from the options and the name of a subcommand."""
        own = args[: args.index("--")] if "--" in args else args
        ctx.meta[_COMMAND] = args[len(own) + 1 :]
        ctx.meta[_OPTIONS_FIRST] = own[:1] != [] and own[0].startswith("-")
        return super().parse_args(ctx, own)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Find a subcommand."""
        word, command = args[0], ctx.meta[_COMMAND]
        if word not in self.commands:
            raise UsageError(
                f"`scaffold local` has no subcommand `{word}`; it has {', '.join(self.commands)}.",
                f"To run a command inside local AWS, put it after two dashes: `scaffold local -- {shlex.join(args)}`.",
            )
        if command:
            raise UsageError(f"`scaffold local {word}` runs no command.", f"Leave `{word}` or the command out.")
        if ctx.meta[_OPTIONS_FIRST]:
            raise UsageError(
                f"The options before `{word}` are not for it.",
                f"Leave them out; `scaffold local {word} --help` lists its own, which come after it.",
            )
        return super().resolve_command(ctx, args)


app = typer.Typer(
    cls=_Local, add_completion=False, rich_markup_mode=None, subcommand_metavar="[SUBCOMMAND | -- COMMAND…]"
)


@app.callback(invoke_without_command=True)
def local(context: typer.Context, runs: Runs = True, speed: Speed = None) -> int:
    """Run local AWS.

    Runs the embedded stand-in for an AWS account in the foreground, around a command with
    `scaffold local -- COMMAND…`, or in the background with `scaffold local start`.

    \b
    Examples:
      scaffold local -- bash
      scaffold local -- scaffold deploy
    """
    if context.invoked_subcommand is not None:
        return 0
    _check(runs, speed)
    from scaffold.commands.local import run

    return run(context.meta[_COMMAND], Console(), runs=runs, speed=speed)


@app.command()
def start(
    runs: Runs = True,
    speed: Speed = None,
    region: Annotated[
        str | None,
        typer.Option(metavar="REGION", help="The region of its clients.", show_default="that of the shell or service"),
    ] = None,
) -> int:
    """Start local AWS in the background, for all terminals.

    \b
    Examples:
      scaffold local start && eval "$(scaffold local env)"
    """
    _check(runs, speed)
    from scaffold.commands.local_background import start

    return start(Console(), region=region, runs=runs, speed=speed)


@app.command()
def stop() -> int:
    """End the local AWS in the background.

    \b
    Examples:
      scaffold local stop
    """
    from scaffold.commands.local_background import stop

    return stop(Console())


@app.command()
def status(as_json: Json = False) -> int:
    """Show the local AWS in the background.

    \b
    Examples:
      scaffold local status --json
    """
    from scaffold.commands.local_background import status
    from scaffold.views.local import text

    console = Console(json=as_json)
    return console.render(status(console), text)


@app.command()
def env(as_json: Json = False) -> int:
    """Print the environment variables of the local AWS in the background.

    For a shell: eval "$(scaffold local env)"
    """
    from scaffold.commands.local_background import env

    try:
        found = env()
    except ScaffoldError:
        if not as_json:
            print("false")  # The shell that evaluates it fails too, and runs nothing in a real account.
        raise
    if as_json:
        print(json.dumps(found.document(), indent=2))  # Not redacted: the credentials are dummies, and asked for.
    else:
        print("\n".join(found.export_lines()))
    return 0


def _check(runs: bool, speed: float | None) -> None:
    if not runs and speed is not None:
        raise UsageError("--speed is about what runs, and with --no-run nothing does.", "Leave one of them out.")
