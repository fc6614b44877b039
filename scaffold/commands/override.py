"""`scaffold override`."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from scaffold.console.console import Console
from scaffold.console.prompt import confirm
from scaffold.core.target import configured_target
from scaffold.deployment.confirmation import check_interactive, check_named
from scaffold.deployment.override import BlockedRelease, OverrideResult, override
from scaffold.service.service import read


@dataclass(frozen=True)
class OverrideOptions:
    """What to override.

    Attributes:
        stage: The stage, or its environment.
        reason: What the team reads about it.
        directory: The service's directory, or one inside it.
        execution: The id of the pipeline execution; without a prompt it is needed.
        profile: The AWS profile; None for the standard configuration chain.
        yes: Override without asking.
    """

    stage: str
    reason: str
    directory: Path = Path()
    execution: str | None = None
    profile: str | None = None
    yes: bool = False


def run(
    options: OverrideOptions, console: Console, describe: Callable[[BlockedRelease], Iterable[str]]
) -> OverrideResult:
    """Override the condition that blocks a release.

    Args:
        describe: The lines that show a release before its condition is overridden.
    """
    check_named(yes=options.yes, execution=options.execution)
    service = read(options.directory)
    target = configured_target(service.region, options.profile)

    def confirmed(release: BlockedRelease) -> bool:
        if options.yes:
            return True
        check_interactive(console, target, _words(options, release), "overrides")
        for line in describe(release):
            console.note(line)
        return confirm("Override the condition?")

    return override(
        service,
        target,
        stage=options.stage,
        reason=options.reason,
        execution=options.execution,
        confirm=confirmed,
        console=console,
    )


def _words(options: OverrideOptions, release: BlockedRelease) -> list[str]:
    """The command that overrides without a prompt."""
    words = ["scaffold", "override", release.stage, "--reason", shlex.quote(options.reason)]
    if options.directory != Path():
        words += ["--directory", shlex.quote(str(options.directory))]
    return [*words, "--yes", "--execution", release.execution]
