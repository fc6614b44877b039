"""Tasks without a service, as RunTask starts them."""

from __future__ import annotations

import threading
import uuid
from typing import Any

from scaffold.engine.clock import Clock
from scaffold.engine.tasks.documents import Document, advance_task, new_task
from scaffold.engine.tasks.runner import Host, Order, Runner

_KEPT_TASKS = 50


class SingleTasks:
    """All tasks that RunTask has started. May be used from any thread."""

    def __init__(self, host: Host, clock: Clock) -> None:
        self._host = host
        self._clock = clock
        self._tasks: dict[str, Document] = {}
        self._runners: dict[str, Runner] = {}
        self._tokens: dict[str, str] = {}
        self._lock = threading.RLock()

    def run(self, cluster: str, definition: Document, started_by: str, token: str) -> Document:
        """Start a task.

        Args:
            cluster: The cluster's ARN.
            token: With that of an earlier call, the task is that one; empty for none.
        """
        with self._lock:
            if token in self._tokens:
                return dict(self._tasks[self._tokens[token]])
            task = uuid.uuid4().hex
            if token:
                self._tokens[token] = task
            ip = f"10.1.{len(self._tasks) // 250 % 250}.{len(self._tasks) % 250 + 4}"
            settings = {"serviceArn": cluster, "clusterArn": cluster, "serviceName": ""}
            family = definition["taskDefinitionArn"].rpartition("/")[2].rpartition(":")[0]
            document = new_task(settings, task, started_by, definition, ip, self._clock.now())
            self._tasks[task] = document | {"group": f"family:{family}"}
            order = Order(task, cluster.split(":")[3], definition, ip)
            self._runners[task] = Runner(self._host, order, lambda **change: self._changed(task, change))
            return dict(self._tasks[task])

    def tasks(self, cluster: str) -> list[Document]:
        """The tasks of a cluster, by its ARN, those included that have stopped lately."""
        with self._lock:
            found = [task for task in self._tasks.values() if task["clusterArn"] == cluster]
            return [{**task, "containers": [dict(one) for one in task["containers"]]} for task in found]

    def stop_task(self, arn: str, reason: str) -> None:
        """Stop a task as StopTask does."""
        with self._lock:
            runner = self._runners.get(arn.rpartition("/")[2])
        if runner:
            runner.stop("UserInitiated", reason)

    def _changed(self, task: str, change: dict[str, Any]) -> None:
        with self._lock:
            advance_task(self._tasks[task], change, self._clock.now())
            if change.get("status") == "STOPPED":
                self._runners.pop(task, None)
                stopped = [one for one in self._tasks if one not in self._runners]
                for old in stopped[:-_KEPT_TASKS]:
                    del self._tasks[old]
                    self._tokens = {token: one for token, one in self._tokens.items() if one != old}
