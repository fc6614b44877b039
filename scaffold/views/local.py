"""The text of the local AWS in the background."""

from __future__ import annotations

from datetime import datetime

from scaffold.commands.local_background import BackgroundStatus
from scaffold.views.place import moment


def text(status: BackgroundStatus) -> str:
    """The result in several lines."""
    if not status.running:
        return "No local AWS is running in the background. Start one with `scaffold local start`."
    where = f"Local AWS is running in the background, at {status.endpoint}."
    if not status.answers:
        where = f"Local AWS is running in the background, but does not answer at {status.endpoint}."
    since = moment(datetime.fromisoformat(str(status.started_at)))
    lines = [
        where,
        f"  since     {since}, process {status.pid}",
        f"  region    {status.region}",
        f"  runs      {_runs(status)}",
        *_services(status),
    ]
    if not status.answers:
        return "\n".join([*lines, "To end it, run `scaffold local stop`."])
    shell = "This shell uses it." if status.in_use else 'To use it in this shell, run: eval "$(scaffold local env)"'
    return "\n".join([*lines, shell])


def _runs(status: BackgroundStatus) -> str:
    if not status.runs:
        return "nothing; what is deployed is only stored"
    speed = "" if status.speed == 1 else f", {status.speed:g} seconds of waiting in one second"
    return f"pipelines, builds and services{speed}"


def _services(status: BackgroundStatus) -> list[str]:
    width = max((len(one.name) for one in status.services), default=0)
    return [
        f"  service   {one.name:<{width}}  {one.running} of {one.desired} tasks  {one.url or ''}".rstrip()
        for one in status.services
    ]
