"""`scaffold status`."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from botocore.exceptions import BotoCoreError, ClientError

from scaffold.aws.session import signed_in
from scaffold.console.console import Console
from scaffold.core.errors import UsageError
from scaffold.core.target import configured_target
from scaffold.deployment.status import StatusResult, look
from scaffold.service.service import read

_SECONDS = 5


@dataclass(frozen=True)
class StatusOptions:
    """What to look at.

    Attributes:
        directory: The service's directory, or one inside it.
        profile: The AWS profile; None for the standard configuration chain.
        watch: Look again until Ctrl-C.
        drift: Compare the stacks with the commits too.
    """

    directory: Path = Path()
    profile: str | None = None
    watch: bool = False
    drift: bool = False


def run(options: StatusOptions, console: Console, text: Callable[[StatusResult], str]) -> StatusResult:
    """The state of a service; with `watch` the last one before Ctrl-C.

    Args:
        text: How a person reads a state while it is watched.
    """
    if options.watch and console.json:
        raise UsageError("--watch prints no JSON.", "Leave one of --watch and --json out.")
    if options.watch and options.drift:
        raise UsageError("--watch does not look for drift.", "Leave one of --watch and --drift out.")
    service = read(options.directory)
    with signed_in(service, configured_target(service.region, options.profile), console) as session:
        result = look(session, service, drift=options.drift)
        if not options.watch:
            return result
        with console.live() as live:
            try:
                while True:
                    live.update(text(result).splitlines())
                    time.sleep(_SECONDS)
                    # A failure that may pass does not end the watch.
                    with suppress(BotoCoreError, ClientError):
                        result = look(session, service)
            except KeyboardInterrupt:
                live.update([])
                return result
