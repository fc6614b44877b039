"""What a teardown or a repair works on: a whole service or one of its environments, confirmed by its name."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable

from scaffold.aws.session import Session
from scaffold.console.console import Console
from scaffold.core.errors import ScaffoldError, UsageError
from scaffold.core.target import Target
from scaffold.service import names
from scaffold.service.service import Service


def command_for(target: Target, *words: str) -> str:
    """The command line of a command with the target's profile, for its repetition."""
    return " ".join([*words, *([f"--profile {shlex.quote(target.profile)}"] if target.profile else [])])


def start_command(target: Target, app_name: str) -> str:
    """The command line that starts a service's pipeline."""
    pipeline = f"--region {target.region} --name {names.pipeline(app_name)}"
    return command_for(target, "aws codepipeline start-pipeline-execution", pipeline)


def check_environment(service: Service, known: Iterable[str], environment: str | None) -> None:
    """Refuse an environment that the service neither has nor had.

    Args:
        known: The service's environments, in the order in which they are shown.

    Raises:
        UsageError: No such environment.
    """
    environments = tuple(known)
    if environment is not None and environment not in environments:
        raise UsageError(
            f"{service.app_name} has no environment {environment!r}.",
            f"Its environments are {', '.join(environments)}.",
        )


def require_confirmation(
    session: Session,
    service: Service,
    environment: str | None,
    notes: Iterable[str],
    confirm: Callable[[str], bool],
    console: Console,
    *,
    does: str,
    done: str,
) -> None:
    """Show what cannot be undone, and go on only if the name is confirmed: `orders`, or `orders/dev`.

    Args:
        notes: What is shown, a line each.
        does: The verb for the account, such as `deletes from`.
        done: The participle for what has not happened otherwise, such as `deleted`.

    Raises:
        ScaffoldError: The name was not confirmed.
    """
    name = f"{service.app_name}/{environment}" if environment else service.app_name
    if not console.json:
        console.warn(f"This {does} {session.title}, and cannot be undone:")
        for note in notes:
            console.note(note)
    if not confirm(name):
        raise ScaffoldError(
            f"Nothing was {done}: the name was not confirmed.",
            f"Run the same command again and type {name}, or add --yes.",
        )
