"""What the commands that decide about a release refuse where nobody can be asked."""

from __future__ import annotations

from collections.abc import Iterable

from scaffold.console.console import Console
from scaffold.core.errors import UsageError
from scaffold.core.target import Target
from scaffold.deployment.scope import command_for


def check_named(*, yes: bool, execution: str | None) -> None:
    """Refuse a decision about a release that nobody sees and that has no name.

    Raises:
        UsageError: It is confirmed beforehand, and the pipeline execution is not given.
    """
    if yes and not execution:
        raise UsageError(
            "Without a prompt, the release has to be named: another one may wait by now.",
            "Add `--execution ID`; `scaffold status` shows the id.",
        )


def check_interactive(console: Console, target: Target, again: Iterable[str], does: str) -> None:
    """Refuse to ask where nobody can answer.

    Args:
        again: The command that needs no confirmation.
        does: What that command does, as a verb.

    Raises:
        UsageError: With --json, or without a terminal.
    """
    if not console.interactive:
        why = "with --json nothing is asked" if console.json else "this is not a terminal"
        raise UsageError(
            f"Cannot ask for confirmation: {why}.", f"`{command_for(target, *again)}` {does} without asking."
        )
