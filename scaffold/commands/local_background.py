"""`scaffold local start|stop|status|env`: local AWS in the background."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from scaffold.console.console import Console
from scaffold.core.errors import ScaffoldError
from scaffold.core.results import Result
from scaffold.local import background
from scaffold.local.background import Background
from scaffold.local.reach import RunningService
from scaffold.local.shell import default_region, export_lines

_START = "Start one with `scaffold local start`."


@dataclass(frozen=True)
class BackgroundStatus(Result):
    """The local AWS in the background.

    Attributes:
        running: Whether there is one. Without one, the other fields have no value.
        answers: Whether it answers.
        endpoint: The URL of all its services.
        region: The region of its clients; it serves all of them.
        runs: Whether pipelines, builds and services run.
        speed: How many seconds of waiting pass in one second.
        started_at: When it was started, in ISO 8601.
        in_use: Whether the environment variables of this shell select it.
        services: The ECS services that run.
    """

    command: ClassVar[str] = "local status"

    running: bool
    answers: bool = False
    endpoint: str | None = None
    region: str | None = None
    runs: bool | None = None
    speed: float | None = None
    pid: int | None = None
    started_at: str | None = None
    in_use: bool = False
    services: tuple[RunningService, ...] = ()


@dataclass(frozen=True)
class Variables(Result):
    """The environment variables with which clients reach the local AWS in the background."""

    command: ClassVar[str] = "local env"

    variables: dict[str, str]

    def export_lines(self) -> Iterator[str]:
        """The variables as lines for a shell."""
        return export_lines(self.variables)


def start(console: Console, *, region: str | None, runs: bool, speed: float | None) -> int:
    """Start local AWS in the background, unless it runs with these options already.

    Args:
        region: The region of its clients; None for the default, or for any if it runs already.
        speed: How many seconds of waiting pass in one second; None for one.

    Raises:
        ScaffoldError: It does not start, or runs with other options.
    """
    wanted = (speed or 1.0) if runs else None
    started = background.start_in_background(region or default_region(), wanted)
    found = started.background
    if started.earlier:
        if found.speed != wanted or region not in (None, found.region):
            raise ScaffoldError(
                f"Local AWS is running in the background already, with other options: {_options(found)}.",
                "Use it as it is, or end it first with `scaffold local stop`; its state is lost then.",
            )
        console.note(f"Local AWS is running in the background already, at http://{found.endpoint}.")
    else:
        console.step(f"Local AWS is running in the background, at http://{found.endpoint}.")
    console.note('To use it in a shell, run: eval "$(scaffold local env)"')
    console.note("To end it, run: scaffold local stop. Its state is lost then.")
    return 0


def stop(console: Console) -> int:
    """End the local AWS in the background.

    Raises:
        ScaffoldError: It does not end.
    """
    with console.busy("Waiting for local AWS to end"):
        ended = background.stop()
    if ended:
        console.step("Local AWS has ended, and its state is deleted.")
        if _in_use(ended):
            console.note("The variables of this shell still lead to it: leave this shell.")
    else:
        console.note("No local AWS is running in the background.")
    return 0


def status(console: Console) -> BackgroundStatus:
    """Describe the local AWS in the background."""
    found = background.find()
    if found is None:
        return BackgroundStatus(running=False)
    with console.busy("Waiting for local AWS"):
        services = found.services()
    return BackgroundStatus(
        running=True,
        answers=services is not None,
        endpoint=f"http://{found.endpoint}",
        region=found.region,
        runs=found.runs,
        speed=found.speed,
        pid=found.pid,
        started_at=found.started_at,
        in_use=_in_use(found),
        services=tuple(services or ()),
    )


def env() -> Variables:
    """The environment variables of the local AWS in the background.

    Raises:
        ScaffoldError: None is running.
    """
    found = background.find()
    if found is None:
        raise ScaffoldError("No local AWS is running in the background.", _START)
    return Variables(found.aws.variables)


def _in_use(found: Background) -> bool:
    return os.environ.get("AWS_ENDPOINT_URL") == f"http://{found.endpoint}"


def _options(found: Background) -> str:
    if found.speed is None:
        return f"--no-run --region {found.region}"
    return f"--speed {found.speed:g} --region {found.region}"
