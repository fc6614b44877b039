"""The command line: parses, dispatches to `scaffold.commands`, prints the result. Heavy imports wait inside."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from scaffold import __version__
from scaffold.console.console import Console
from scaffold.core.errors import UsageError
from scaffold.core.results import Result

app = typer.Typer(
    name="scaffold",
    help="Start a service on AWS from one command, and keep it up to your team's standard.",
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["--help", "-h"]},
)

ServiceDirectory = Annotated[
    Path, typer.Argument(metavar="DIRECTORY", help="The service's repository.", show_default="the current directory")
]
Profile = Annotated[str | None, typer.Option(metavar="NAME", help="The AWS profile to use.", show_default=False)]
Plan = Annotated[bool, typer.Option("--plan", help="Show what would change and change nothing; exit 10 on changes.")]
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON on stdout.")]


def run(arguments: list[str]) -> int:
    """Parse the command line, run the command and return the exit code.

    Args:
        arguments: The command line, without the program's name.

    Raises:
        UsageError: The command line cannot be understood.
    """
    # Not `app()`: that would end the process by itself, on a broken pipe for one.
    command = typer.main.get_command(app)
    try:
        with command.make_context("scaffold", list(arguments)) as context:
            code = command.invoke(context)
    except typer.Exit as left:
        code = left.exit_code
    except typer.Abort:
        raise KeyboardInterrupt from None
    except typer.TyperException as error:
        known = getattr(error, "ctx", None)
        message = error.format_message() if hasattr(error, "format_message") else str(error)
        raise UsageError(
            message, f"Run `{known.command_path if known else 'scaffold'} --help` for what is possible."
        ) from error
    return code if isinstance(code, int) else 0


@app.callback(invoke_without_command=True)
def main(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Show the version and exit.")] = False,
) -> None:
    """Start a service on AWS from one command, and keep it up to your team's standard."""
    if version:
        print(f"scaffold {__version__}")
        raise typer.Exit
    if context.invoked_subcommand is None:
        print(context.get_help())
        raise typer.Exit


@app.command()
def new(
    dest: Annotated[
        Path | None,
        typer.Argument(
            metavar="DEST", help="Where to write the service; absent or empty.", show_default="./<app_name>"
        ),
    ] = None,
    data: Annotated[
        list[str] | None,
        typer.Option(metavar="KEY=VALUE", help="Answer one question; repeatable.", show_default=False),
    ] = None,
    answers: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Answers from a YAML or JSON file.", show_default=False)
    ] = None,
    defaults: Annotated[bool, typer.Option("--defaults", help="Ask nothing: defaults fill in the rest.")] = False,
    kit: Annotated[
        str | None,
        typer.Option(metavar="SOURCE", help="The kit: a folder, a Git URL, git+codecommit::…", show_default="embedded"),
    ] = None,
    kit_version: Annotated[
        str | None, typer.Option(metavar="REF", help="The kit's tag or commit.", show_default="newest")
    ] = None,
    deploy: Annotated[
        bool | None,
        typer.Option("--deploy/--no-deploy", help="Deploy right away: --deploy is the yes to what AWS bills."),
    ] = None,
    local: Annotated[bool, typer.Option("--local", help="Deploy to local AWS, without an account.")] = False,
    profile: Profile = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show the files, the stacks and the monthly cost; write nothing.")
    ] = False,
    as_json: Json = False,
) -> int:
    """Generate a service.

    Its code, its pipeline and its infrastructure, in a Git repository with a first commit.
    """
    from scaffold.commands.new import new as command
    from scaffold.kit.answers import split_pairs

    console = Console(json=as_json)
    result = command(
        dest,
        data=split_pairs(data or []),
        answers_file=answers,
        defaults=defaults,
        kit=kit,
        kit_version=kit_version,
        deploy=deploy,
        local=local,
        profile=profile,
        dry_run=dry_run,
        console=console,
    )
    return _finish(console, result)


@app.command()
def deploy(
    directory: ServiceDirectory = Path(),
    plan: Plan = False,
    profile: Profile = None,
    as_json: Json = False,
) -> int:
    """Deploy a service.

    Creates or updates its repository, foundation and pipeline on AWS; the pipeline then
    creates the environments. Safe to repeat.
    """
    from scaffold.commands.deploy import deploy as command

    console = Console(json=as_json)
    return _finish(console, command(directory, profile=profile, plan=plan, console=console))


@app.command()
def destroy(
    directory: ServiceDirectory = Path(),
    environment: Annotated[
        str | None, typer.Option(metavar="NAME", help="Take away this environment only.", show_default=False)
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask for the name to be typed.")] = False,
    plan: Plan = False,
    profile: Profile = None,
    as_json: Json = False,
) -> int:
    """Take a service away.

    Everything on AWS that `deploy` and the pipeline created, after typing the service's name.
    """
    from scaffold.commands.destroy import destroy as command
    from scaffold.kit.interview import confirm_by_name

    console = Console(json=as_json)
    result = command(
        directory,
        environment=environment,
        profile=profile,
        plan=plan,
        confirm=(lambda _name: True) if yes else (lambda name: confirm_by_name(name, console)),
        console=console,
    )
    return _finish(console, result)


@app.command(context_settings={"allow_interspersed_args": False})
def local(
    command: Annotated[
        list[str] | None,
        typer.Argument(metavar="COMMAND…", help="Run inside local AWS, then end it.", show_default=False),
    ] = None,
) -> int:
    """Run local AWS.

    The embedded stand-in for an account: in the foreground, or around a command with
    `scaffold local -- COMMAND…`.
    """
    from scaffold.commands.local import local as run_local

    console = Console()
    return _finish(console, run_local(command or [], console=console))


def _finish(console: Console, result: Result) -> int:
    console.render(result)
    return result.exit_code
