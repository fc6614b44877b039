"""The command line: a lazily loaded module for each command, and the translation of usage errors."""

from __future__ import annotations

from collections.abc import Callable, Iterator, MutableMapping
from importlib import import_module
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from scaffold import __version__
from scaffold.cli.newer_kit import say_newer_kit
from scaffold.cli.shared import add_shared_options
from scaffold.cli.suggestions import command_like, option_like
from scaffold.core.documentation import documentation
from scaffold.core.errors import UsageError

# Each command's function has its name, in a module of its name. Its docstring begins with this sentence. A module with
# subcommands has an `app`.
COMMANDS = {
    "new": "Generate a service.",
    "questions": "List the questions of a kit.",
    "config": "Show the defaults for new services, and where they come from.",
    "doctor": "Check what a deployment needs.",
    "update": "Update a service to a newer kit, or to other answers.",
    "env": "List, add and remove the environments of a service.",
    "cost": "Estimate what a service costs a month.",
    "deploy": "Deploy a service.",
    "status": "Show what a service's pipeline and environments are doing.",
    "approve": "Approve the release that waits in the pipeline.",
    "reject": "Reject the release that waits in the pipeline.",
    "override": "Override a condition that blocks a release.",
    "rollback": "Roll an environment back.",
    "retry": "Retry a failed stage of the pipeline.",
    "releases": "List the past releases of an environment.",
    "wake": "Wake an environment outside of its office hours.",
    "secret": "Set, list, rotate and remove the secrets of a service.",
    "logs": "Show the log of an environment or of a build.",
    "exec": "Open a shell in a running task, or run a command there.",
    "open": "Open a service in the browser, or its page in the AWS console.",
    "repair": "Repair a service whose stacks are stuck.",
    "destroy": "Delete a service from AWS.",
    "rehearse": "Release a commit on a local AWS of its own.",
    "local": "Run local AWS.",
    "completion": "Print what completes commands in a shell.",
}
_EPILOG = """
\b
Examples:
  scaffold new payments --defaults    generate a service, without questions
  scaffold deploy --local             try its deployment, without an account
  scaffold deploy --plan              see what a deployment would change

\b
Environment variables:
  AWS_PROFILE, AWS_REGION, …          account and region, as in other AWS tools
  NO_COLOR, FORCE_COLOR               colours: never, or also without a terminal
  SCAFFOLD_KIT_NOTICE=off             do not say that a service's kit has a newer version

\b
Exit codes: 0 done; 1 failed, and the message says what to do; 2 wrong command line or answer;
3 conflicts left; 10 --plan found changes; 11 waits for approval; 12 drift; 70 a bug; 130 Ctrl-C.
"""
_HELP_OPTIONS = {"help_option_names": ["--help", "-h"]}


class _LazyCommands(MutableMapping[str, Any]):
    """The commands by name; a command's module is imported when the command is used."""

    def __init__(self) -> None:
        self._loaded: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        if name not in COMMANDS:
            raise KeyError(name)
        if name not in self._loaded:
            module = import_module(f"scaffold.cli.{name}")
            app = getattr(module, "app", None) or _app(name, getattr(module, name))
            command = typer.main.get_command(app)
            command.name, command.context_settings = name, _HELP_OPTIONS
            add_shared_options(command)
            self._loaded[name] = command
        return self._loaded[name]

    def __iter__(self) -> Iterator[str]:
        return iter(COMMANDS)

    def __len__(self) -> int:
        return len(COMMANDS)

    def __setitem__(self, name: str, command: Any) -> None:
        self._loaded[name] = command

    def __delitem__(self, name: str) -> None:
        del self._loaded[name]


def _app(name: str, function: Callable[..., Any]) -> typer.Typer:
    app = typer.Typer(add_completion=False, rich_markup_mode=None)
    app.command(name)(function)
    return app


class _Commands(TyperGroup):
    """The group of all commands, whose help imports none of them."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.commands = _LazyCommands()

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002
        """The commands in the order of their first use."""
        return list(COMMANDS)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Find a command, or say which one was meant."""
        if args[0] not in COMMANDS and not ctx.resilient_parsing:
            meant = command_like(args[0], COMMANDS)
            sentence = f"{meant} `scaffold --help` lists the commands." if meant else "`scaffold --help` lists them."
            raise UsageError(f"There is no command `{args[0]}`.", sentence)
        return super().resolve_command(ctx, args)

    def format_epilog(self, ctx: Any, formatter: Any) -> None:
        """Write examples, variables and exit codes, and where to read on."""
        super().format_epilog(ctx, formatter)
        if found := documentation():
            formatter.write(f"\n  Documentation: {found}\n")

    def format_commands(self, ctx: Any, formatter: Any) -> None:  # noqa: ARG002
        """Write the list of commands."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


app = typer.Typer(
    cls=_Commands,
    name="scaffold",
    help="Start a service on AWS from one command, and keep it up to your team's standard.",
    epilog=_EPILOG,
    add_completion=False,
    rich_markup_mode=None,
    context_settings=_HELP_OPTIONS,
)


@app.callback(invoke_without_command=True)
def main(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", "-V", help="Show the version and exit.")] = False,
) -> None:
    """Start a service on AWS from one command, and keep it up to your team's standard."""
    if version:
        print(f"scaffold {__version__}")
        raise typer.Exit
    if context.invoked_subcommand is None:
        print(context.get_help())
        raise typer.Exit


def _message(error: Any) -> str:
    """What is wrong with the command line; an unknown option comes with the one that it abbreviates or misspells."""
    option, context = getattr(error, "option_name", ""), getattr(error, "ctx", None)
    if context is None or not hasattr(error, "possibilities"):
        return error.format_message() if hasattr(error, "format_message") else str(error)
    known = [name for parameter in context.command.params for name in parameter.opts if name.startswith("--")]
    meant = option_like(option, known)
    return f"There is no option {option}.{f' {meant}' if meant else ''}"


def run(arguments: list[str]) -> int:
    """Parse the command line without the program's name, run the command and return its exit code.

    Raises:
        UsageError: The command line cannot be parsed.
    """
    # Not `app()`: it would end the process itself, for example on a broken pipe.
    command = typer.main.get_command(app)
    add_shared_options(command, deep=False)
    try:
        with command.make_context("scaffold", list(arguments)) as context:
            code = command.invoke(context)
            if context.invoked_subcommand:
                say_newer_kit(context.invoked_subcommand, arguments)
    except typer.Exit as left:
        code = left.exit_code
    except typer.Abort:
        raise KeyboardInterrupt from None
    except typer.TyperException as error:
        known = getattr(error, "ctx", None)
        path = known.command_path if known else " ".join(["scaffold", *(set(arguments[:1]) & set(COMMANDS))])
        raise UsageError(_message(error), f"Run `{path} --help` for the options.") from error
    return code if isinstance(code, int) else 0
