"""`scaffold logs`."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from scaffold.aws.logs import LogEvent
from scaffold.aws.session import signed_in
from scaffold.console.console import Console
from scaffold.console.lines import Lines
from scaffold.core import durations
from scaffold.core.errors import UsageError
from scaffold.core.target import configured_target
from scaffold.deployment.logs import LogsResult, check_owner, of_build, of_environment
from scaffold.service.service import read

_DEFAULT = "15m"
_SECONDS = 2


@dataclass(frozen=True)
class LogsOptions:
    """Which log to read.

    Attributes:
        directory: The service's directory, or one inside it.
        of: The environment; with `build`, the build's id, None for the newest build.
        build: Whether it is the log of a build.
        follow: Wait for further lines.
        since: How long ago the first line was written; None for 15 minutes, or for the whole log of a build.
        profile: The AWS profile; None for the standard configuration chain.
    """

    directory: Path = Path()
    of: str | None = None
    build: bool = False
    follow: bool = False
    since: str | None = None
    profile: str | None = None


def run(options: LogsOptions, console: Console) -> LogsResult | None:
    """Read a log, and write its lines to stdout; with JSON, the result has its events instead. None after Ctrl-C."""
    if options.follow and console.json:
        raise UsageError("--follow prints no JSON.", "Leave one of --follow and --json out.")
    service = read(options.directory)
    if options.of is None and not options.build:
        environments = ", ".join(service.environments)
        raise UsageError(
            "The command does not say whose log to read.",
            f"Add an environment ({environments}), or --build for the newest build.",
        )
    duration = options.since or (None if options.build else _DEFAULT)
    since = datetime.now(UTC) - durations.parse(duration) if duration else None
    lines, events, written = Lines(), [], 0

    def write(event: LogEvent) -> None:
        nonlocal written
        written += 1
        if console.json:
            events.append(event)
        else:
            lines.write(event.message)

    def wait() -> None:
        lines.check_reader()
        time.sleep(_SECONDS)

    with signed_in(service, configured_target(service.region, options.profile), console) as session:
        check_owner(session, service)
        pause = wait if options.follow else None
        try:
            with lines.followed("Waiting for lines"):
                if options.build:
                    result = of_build(session, service, options.of, since, write, pause)
                else:
                    result = of_environment(session, service, str(options.of), since, write, pause)
        except KeyboardInterrupt:
            if options.follow:
                return None
            raise
    if not written and not console.json:
        console.note(f"No lines{f' within the last {duration}' if duration else ' yet'}.")
    return replace(result, events=tuple(events))
