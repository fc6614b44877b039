"""`scaffold approve` and `scaffold reject`."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from scaffold.console.console import Console
from scaffold.console.prompt import confirm
from scaffold.core.errors import UsageError
from scaffold.core.target import configured_target
from scaffold.deployment.approval import Decision, WaitingRelease, decide
from scaffold.deployment.confirmation import check_interactive, check_named
from scaffold.service.service import read


@dataclass(frozen=True)
class DecisionOptions:
    """What to decide about.

    Attributes:
        directory: The service's directory, or one inside it.
        environment: The environment that the release waits for; None for the only one that waits.
        message: What other people read about the decision.
        execution: The id of the pipeline execution; without a prompt it is needed.
        profile: The AWS profile; None for the standard configuration chain.
        yes: Decide without asking.
    """

    directory: Path = Path()
    environment: str | None = None
    message: str = ""
    execution: str | None = None
    profile: str | None = None
    yes: bool = False


def run(
    options: DecisionOptions,
    decision: type[Decision],
    console: Console,
    describe: Callable[[WaitingRelease], Iterable[str]],
) -> Decision:
    """Approve or reject the release that waits in the pipeline.

    Args:
        describe: The lines that show a release before the decision.
    """
    check_named(yes=options.yes, execution=options.execution)
    service = read(options.directory)
    target = configured_target(service.region, options.profile)

    def confirmed(release: WaitingRelease) -> bool:
        if options.message and release.trial:
            raise UsageError("ECS keeps no message about the decision on a deployment.", "Leave `--message` out.")
        if options.yes:
            return True
        check_interactive(console, target, _words(options, decision, release), "decides")
        for line in describe(release):
            console.note(line)
        return confirm(f"{decision.command.capitalize()} this release?")

    return decide(
        service,
        target,
        decision,
        environment=options.environment,
        execution=options.execution,
        message=options.message,
        confirm=confirmed,
        console=console,
    )


def _words(options: DecisionOptions, decision: type[Decision], release: WaitingRelease) -> list[str]:
    """The command that makes the same decision without a prompt."""
    words = ["scaffold", decision.command, *([options.environment] if options.environment else [])]
    if options.directory != Path():
        words += ["--directory", shlex.quote(str(options.directory))]
    if options.message:
        words += ["--message", shlex.quote(options.message)]
    return [*words, "--yes", "--execution", release.execution]
