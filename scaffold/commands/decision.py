"""`scaffold approve` and `scaffold reject`."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from scaffold.console.console import Console
from scaffold.console.prompt import confirm
from scaffold.core.errors import UsageError
from scaffold.core.target import configured_target
from scaffold.deployment.approval import Decision, WaitingRelease, decide
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
    if options.yes and not options.execution:
        raise UsageError(
            "Without a prompt, the release has to be named: another one may wait by now.",
            "Add `--execution ID`; `scaffold status` shows the id.",
        )
    service = read(options.directory)

    def confirmed(release: WaitingRelease, again: str) -> bool:
        if options.yes:
            return True
        if not console.interactive:
            raise UsageError(
                "Cannot ask for confirmation: this is not a terminal.", f"`{again}` decides without asking."
            )
        for line in describe(release):
            console.note(line)
        return confirm(f"{decision.command.capitalize()} this release?")

    return decide(
        service,
        configured_target(service.region, options.profile),
        decision,
        environment=options.environment,
        execution=options.execution,
        message=options.message,
        confirm=confirmed,
        console=console,
    )
