"""The log stream of a build in CloudWatch Logs."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

Document = dict[str, Any]


def destination(config: Document, region: str, account: str, project: str, number: str) -> Document:
    """Where the log of a build goes, in the form of BatchGetBuilds.

    Args:
        config: The `logsConfig` of the project.
        number: The part of the build's id after the project's name.
    """
    given = config.get("cloudWatchLogs", {"status": "ENABLED"})
    if given["status"] != "ENABLED":
        return {"cloudWatchLogs": given}
    group = given.get("groupName") or f"/aws/codebuild/{project}"
    stream = "/".join(filter(None, [given.get("streamName"), number]))
    arn = f"arn:aws:logs:{region}:{account}:log-group:{group}:log-stream:{stream}"
    return {"groupName": group, "streamName": stream, "cloudWatchLogsArn": arn, "cloudWatchLogs": given}


class LogStream:
    """Sends lines. Its methods may be called from any thread.

    Args:
        logs: Where the log goes.
        connect: Creates the client.
    """

    def __init__(self, logs: Document, connect: Callable[[], Any]) -> None:
        self._group = logs.get("groupName", "")
        self._names = {"logGroupName": self._group, "logStreamName": logs.get("streamName", "")}
        self._connect = connect
        self._lock = threading.Lock()
        self._client: Any = None
        self._denied = ""

    def open(self) -> str:
        """Create the stream once, and its group if there is none. Returns why that is denied, or an empty text."""
        with self._lock:
            if self._group and self._client is None and not self._denied:
                try:
                    client = self._connect()
                    self._create_stream(client)
                    self._client = client
                except (ClientError, BotoCoreError) as error:
                    self._denied = _denial(error)
                    self._say(error)
            return self._denied

    def __call__(self, events: list[Document]) -> None:
        """Send events. What cannot be sent is lost, and the build goes on, as on AWS."""
        if self.open() or self._client is None:
            return
        try:
            self._client.put_log_events(**self._names, logEvents=events)
        except (ClientError, BotoCoreError) as error:
            self._say(error)

    def _say(self, error: Exception) -> None:
        print(f"{self._group}: {error}", file=sys.stderr)  # The log of local AWS.

    def _create_stream(self, client: Any) -> None:
        try:
            _create(client.create_log_stream, **self._names)
        except ClientError as error:
            if error.response["Error"]["Code"] != "ResourceNotFoundException":
                raise
            _create(client.create_log_group, logGroupName=self._group)
            _create(client.create_log_stream, **self._names)


def _create(operation: Callable[..., Any], **names: str) -> None:
    try:
        operation(**names)
    except ClientError as error:
        if error.response["Error"]["Code"] != "ResourceAlreadyExistsException":
            raise


def _denial(error: Exception) -> str:
    """The message of a denied call; an empty text for another failure."""
    found = error.response["Error"] if isinstance(error, ClientError) else {}
    return str(found.get("Message")) if found.get("Code") == "AccessDeniedException" else ""
