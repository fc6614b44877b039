"""Reads the events of a log group in CloudWatch Logs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import ClientError

from scaffold.aws.errors import code_of
from scaffold.aws.session import Session

# Events of several streams arrive late, and out of order.
_OVERLAP = 30_000


@dataclass(frozen=True)
class LogEvent:
    """An event of a log stream.

    Attributes:
        stream: The log stream, one for each container of a task or for each build.
    """

    at: datetime
    stream: str
    message: str


class LogReader:
    """Reads every event of a log group once, however often it reads.

    Args:
        stream: The only log stream to read; None for all.
        since: The earliest event; None for the oldest one.
    """

    def __init__(self, session: Session, group: str, stream: str | None, since: datetime | None) -> None:
        self._client = session.client("logs")
        self._request: dict[str, Any] = {"logGroupName": group}
        if stream is not None:
            self._request["logStreamNames"] = [stream]
        self._start = int(since.timestamp() * 1000) if since else 0
        self._newest = self._start
        self._seen: dict[str, int] = {}
        # After a failed call, the next one continues from here.
        self._page: dict[str, str] = {}

    def read(self) -> Iterator[LogEvent]:
        """The events that have arrived since the last time, page by page; none of a stream that does not exist yet."""
        while True:
            try:
                page = self._client.filter_log_events(**self._request, startTime=self._start, **self._page)
            except ClientError as error:
                if code_of(error) == "ResourceNotFoundException" and "logStreamNames" in self._request:
                    return
                raise
            for event in page["events"]:
                if event["eventId"] not in self._seen:
                    self._seen[event["eventId"]] = event["timestamp"]
                    yield _event(event)
            self._newest = max([self._newest, *self._seen.values()])
            oldest = self._newest - _OVERLAP
            self._seen = {one: at for one, at in self._seen.items() if at >= oldest}
            token = page.get("nextToken")
            self._page = {"nextToken": token} if token else {}
            if not token:
                self._start = max(self._start, oldest)
                return


def _event(event: dict[str, Any]) -> LogEvent:
    at = datetime.fromtimestamp(event["timestamp"] / 1000, UTC)
    return LogEvent(at, event["logStreamName"], event["message"])
