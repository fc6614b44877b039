"""ECS Exec: which tasks people can open a shell in, and the session that leads there."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from scaffold.aws.errors import suppress_code
from scaffold.aws.session import Session
from scaffold.service import names

#: The application's container.
CONTAINER = "app"
_AGENT = "ExecuteCommandAgent"


@dataclass(frozen=True)
class RunningTask:
    """A task that runs.

    Attributes:
        identifier: The last part of its ARN.
        runtime: The id of its application's container.
        agent: The status of the agent of ECS Exec, such as `RUNNING`; empty where the task has none.
    """

    identifier: str
    runtime: str
    agent: str


def is_open(session: Session, app_name: str, environment: str) -> bool | None:
    """Whether people can open shells in the tasks of an environment; None where it has no service yet."""
    cluster = names.cluster(app_name, environment)
    with suppress_code("ClusterNotFoundException"):
        found = session.client("ecs").describe_services(cluster=cluster, services=[cluster])["services"]
        for one in found:
            if one["status"] == "ACTIVE":
                return bool(one.get("enableExecuteCommand"))
    return None


def running_tasks(session: Session, app_name: str, environment: str) -> list[RunningTask]:
    """The tasks of an environment that run, the newest one first."""
    cluster, ecs = names.cluster(app_name, environment), session.client("ecs")
    pages = ecs.get_paginator("list_tasks").paginate(cluster=cluster, serviceName=cluster, desiredStatus="RUNNING")
    found: list[dict[str, Any]] = []
    for page in pages:  # A page has at most as many as can be described at once.
        if page["taskArns"]:
            found += ecs.describe_tasks(cluster=cluster, tasks=page["taskArns"])["tasks"]
    running = [one for one in found if one["lastStatus"] == "RUNNING"]
    running.sort(key=lambda one: one.get("startedAt", datetime.min.replace(tzinfo=UTC)), reverse=True)
    return [_task(one) for one in running]


def _task(described: dict[str, Any]) -> RunningTask:
    container: dict[str, Any] = next((one for one in described["containers"] if one["name"] == CONTAINER), {})
    agents = [one.get("lastStatus", "") for one in container.get("managedAgents", []) if one["name"] == _AGENT]
    return RunningTask(
        described["taskArn"].rpartition("/")[2], container.get("runtimeId", ""), agents[0] if agents else ""
    )


def start(session: Session, app_name: str, environment: str, task: RunningTask, command: str) -> dict[str, Any]:
    """Start a command in a task, and return the session that leads to it, which has a secret token."""
    answer = session.client("ecs", attempts=1).execute_command(
        cluster=names.cluster(app_name, environment),
        task=task.identifier,
        container=CONTAINER,
        command=command,
        interactive=True,
    )
    opened: dict[str, Any] = answer["session"]
    return opened


def target_of(app_name: str, environment: str, task: RunningTask) -> str:
    """The task's container as Session Manager names it."""
    return f"ecs:{names.cluster(app_name, environment)}_{task.identifier}_{task.runtime}"
