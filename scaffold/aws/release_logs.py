"""The last lines that a build or a task has logged, each of at most 500 characters and an ellipsis."""

from __future__ import annotations

from scaffold.aws import builds
from scaffold.aws.errors import suppress_code
from scaffold.aws.session import Session
from scaffold.core.secrets import redact
from scaffold.service import names

_LINES = 30
# Characters of a line, such as of a minified file that a tool prints.
_WIDTH = 500
# How far back a build's own output is looked for among what CodeBuild says about its phases.
_READ_LINES = 200
_CODEBUILD = "[Container] "


def of_build(session: Session, build: str) -> tuple[str, ...]:
    """The last lines that a build's commands have printed; none where there is no such build, or it has no log."""
    found = builds.find(session, build)
    if found is None or found.group is None or found.stream is None:
        return ()
    lines = _last_lines(session, found.group, found.stream)
    return tuple(line for line in lines if not line.startswith(_CODEBUILD))[-_LINES:]


def of_newest_task(session: Session, app_name: str, environment: str) -> tuple[str, ...]:
    """The last lines of the task that has logged last in an environment; none where none has."""
    group = names.log_group(app_name, environment)
    with suppress_code("ResourceNotFoundException"):
        newest = session.client("logs").describe_log_streams(
            logGroupName=group, orderBy="LastEventTime", descending=True, limit=1
        )
        for stream in newest["logStreams"]:
            return _last_lines(session, group, stream["logStreamName"])[-_LINES:]
    return ()


def _last_lines(session: Session, group: str, stream: str) -> tuple[str, ...]:
    with suppress_code("ResourceNotFoundException"):
        answer = session.client("logs").get_log_events(
            logGroupName=group, logStreamName=stream, limit=_READ_LINES, startFromHead=False
        )
        lines = [line for event in answer["events"] for line in event["message"].splitlines()]
        return tuple(_cut(line.rstrip()) for line in lines if line.strip())
    return ()


def _cut(line: str) -> str:
    if len(line) <= _WIDTH:
        return line
    # First without its secrets: the beginning of one is recognized no more.
    shown = redact(line)
    return shown if len(shown) <= _WIDTH else f"{shown[:_WIDTH]}…"
