"""Sends the output of a container to CloudWatch Logs, as the log driver awslogs does."""

from __future__ import annotations

import threading
import time
from typing import IO, Any

from botocore.exceptions import BotoCoreError, ClientError

from scaffold.engine.tasks.images import CannotStart

_PAUSE_SECONDS = 0.5
_MOST_EVENTS = 1000


class LogStream:
    """The log stream of a container.

    Args:
        container: The container's definition.
        task: The task's id.
        clients: Makes a boto3 client of a service, in a region where one is given.

    Raises:
        CannotStart: The log group does not exist, or the log driver is another one.
    """

    def __init__(self, container: dict[str, Any], task: str, clients: Any) -> None:
        configuration = container.get("logConfiguration") or {}
        options = configuration.get("options", {})
        self._client = self._group = None
        if not configuration:
            return
        if configuration.get("logDriver") != "awslogs":
            raise CannotStart(f"CannotStartContainerError: not rehearsed: log driver {configuration.get('logDriver')}")
        if "awslogs-group" not in options:
            raise CannotStart("CannotStartContainerError: the log driver awslogs needs the option awslogs-group")
        self._client = clients("logs", options.get("awslogs-region"))
        self._group = options["awslogs-group"]
        self._stream = f"{options.get('awslogs-stream-prefix', 'ecs')}/{container['name']}/{task}"
        try:
            if options.get("awslogs-create-group") == "true":
                self._ignoring_existing(self._client.create_log_group, logGroupName=self._group)
            self._ignoring_existing(
                self._client.create_log_stream, logGroupName=self._group, logStreamName=self._stream
            )
        except ClientError as error:
            message = error.response["Error"].get("Message", "")
            raise CannotStart(
                f"ResourceInitializationError: failed to validate logger args: create stream: {message}"
            ) from error

    @staticmethod
    def _ignoring_existing(create: Any, **names: str) -> None:
        try:
            create(**names)
        except ClientError as error:
            if error.response["Error"].get("Code") != "ResourceAlreadyExistsException":
                raise

    def copy(self, output: IO[bytes]) -> threading.Thread:
        """Copy the output in a thread, which ends with the output."""
        thread = threading.Thread(target=self._copy, args=(output,), daemon=True)
        thread.start()
        return thread

    def _copy(self, output: IO[bytes]) -> None:
        pending: list[dict[str, Any]] = []
        arrived = threading.Condition()
        ended = threading.Event()

        def send() -> None:
            while True:
                with arrived:
                    arrived.wait_for(lambda: pending or ended.is_set())
                    if not pending:
                        return
                ended.wait(_PAUSE_SECONDS)  # For more lines of the same moment.
                with arrived:
                    batch, pending[:] = pending[:_MOST_EVENTS], pending[_MOST_EVENTS:]
                self._put(batch)

        sender = threading.Thread(target=send, daemon=True)
        sender.start()
        for line in output:
            with arrived:
                message = line.decode(errors="replace").rstrip("\r\n")
                if message:  # CloudWatch Logs refuses empty messages.
                    pending.append({"timestamp": int(time.time() * 1000), "message": message})
                arrived.notify()
        ended.set()
        with arrived:
            arrived.notify()
        sender.join()

    def _put(self, events: list[dict[str, Any]]) -> None:
        if self._client is None:
            return
        try:
            self._client.put_log_events(logGroupName=self._group, logStreamName=self._stream, logEvents=events)
        except (ClientError, BotoCoreError):
            return  # As awslogs with mode=non-blocking: what cannot be delivered is lost, and the task goes on.
