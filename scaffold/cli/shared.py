"""The options of every command: how much it says, and whether in colour."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from scaffold.cli.suggestions import subcommand_like
from scaffold.core.errors import UsageError


class Group(TyperGroup):
    """A command with subcommands, which says what was meant by an unknown one."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Find a subcommand."""
        if args[0] not in self.commands and not ctx.resilient_parsing:
            meant = subcommand_like(args[0], self.commands)
            own = f"`{ctx.command_path} --help`"
            raise UsageError(
                f"`{ctx.command_path}` has no subcommand `{args[0]}`.",
                f"{meant} {own} lists its subcommands." if meant else f"{own} lists them.",
            )
        return super().resolve_command(ctx, args)


def _switch(choose: str) -> Callable[[bool], None]:
    def chosen(value: bool) -> None:
        if value:
            from scaffold.console import preferences

            getattr(preferences, choose)()

    return chosen


def _options(
    quiet: Annotated[
        bool,
        typer.Option(
            "--quiet",
            "-q",
            help="Show only results, warnings and errors.",
            callback=_switch("be_quiet"),
            expose_value=False,
        ),
    ] = False,
    verbose: Annotated[
        bool,
        typer.Option(
            "--verbose",
            "-v",
            help="Show also the kit and the calls of AWS, with their times.",
            callback=_switch("be_verbose"),
            expose_value=False,
        ),
    ] = False,
    no_color: Annotated[
        bool,
        typer.Option(
            "--no-color",
            help="Use no colour, as with NO_COLOR.",
            callback=_switch("use_no_color"),
            expose_value=False,
        ),
    ] = False,
) -> None:
    pass


def add_shared_options(command: Any, *, deep: bool = True) -> None:
    """Let a command have the options of every command, after its own.

    Args:
        deep: Whether its subcommands get them, too.
    """
    probe = typer.Typer(add_completion=False, rich_markup_mode=None)
    probe.command()(_options)
    command.params.extend(typer.main.get_command(probe).params)
    if deep and isinstance(command, TyperGroup):
        for one in command.commands.values():
            add_shared_options(one)
