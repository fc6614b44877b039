"""Services, deployments and tasks in the form of ECS's API."""

from __future__ import annotations

from typing import Any

from scaffold.engine.tasks.rollout import Deployment
from scaffold.engine.tasks.service import Service, Task

Document = dict[str, Any]

_MOST_EVENTS = 100
_PLATFORM = "1.4.0"


def service_document(settings: Document, service: Service, events: list[Document], deleted: bool) -> Document:
    """A service as DescribeServices returns it.

    Args:
        settings: What CreateService and UpdateService were given, with the service's ARNs.
        events: The newest first.
    """
    running, pending = _counts(list(service.tasks))
    status = ("DRAINING" if service.tasks else "INACTIVE") if deleted else "ACTIVE"
    return {
        **settings,
        "status": status,
        "desiredCount": service.desired,
        "runningCount": running,
        "pendingCount": pending,
        "taskDefinition": service.primary.definition,
        "deployments": [] if deleted else [_deployment(service, one) for one in service.deployments],
        "events": events[:_MOST_EVENTS],
    }


def _deployment(service: Service, deployment: Deployment) -> Document:
    own = [task for task in service.tasks if task.deployment == deployment.identifier]
    running, pending = _counts(own)
    primary = deployment is service.primary
    return {
        "id": deployment.identifier,
        "status": "PRIMARY" if primary else "ACTIVE",
        "taskDefinition": deployment.definition,
        "desiredCount": service.desired if primary else 0,
        "runningCount": running,
        "pendingCount": pending,
        "failedTasks": deployment.failed,
        "createdAt": deployment.created,
        "updatedAt": deployment.updated or deployment.created,
        "rolloutState": deployment.rollout,
        "rolloutStateReason": deployment.reason or f"ECS deployment {deployment.identifier} in progress.",
    }


def _counts(tasks: list[Task]) -> tuple[int, int]:
    """The running and the pending tasks."""
    live = [task for task in tasks if not task.stopping]
    running = sum(task.running_since is not None for task in live)
    return running, len(live) - running


def new_task(settings: Document, task: str, deployment: str, definition: Document, ip: str, now: float) -> Document:
    """A task that is being provisioned, as DescribeTasks returns it."""
    region, account = settings["serviceArn"].split(":")[3:5]
    cluster = settings["clusterArn"].rpartition("/")[2]
    arn = f"arn:aws:ecs:{region}:{account}:task/{cluster}/{task}"
    strategy = settings.get("capacityProviderStrategy") or []
    chosen = sorted(strategy, key=lambda one: (one.get("base", 0), one.get("weight", 0)))[-1:]
    interface = {"attachmentId": task[:8], "privateIpv4Address": ip}
    details = [{"name": "privateIPv4Address", "value": ip}]
    return {
        "taskArn": arn,
        "clusterArn": settings["clusterArn"],
        "taskDefinitionArn": definition["taskDefinitionArn"],
        "group": f"service:{settings['serviceName']}",
        "startedBy": deployment,
        "lastStatus": "PROVISIONING",
        "desiredStatus": "RUNNING",
        "healthStatus": "UNKNOWN",
        "launchType": "FARGATE",
        **({"capacityProviderName": chosen[0]["capacityProvider"]} if chosen else {}),
        "platformVersion": _PLATFORM,
        "availabilityZone": f"{region}a",
        "connectivity": "CONNECTED",
        "cpu": str(definition.get("cpu", "256")),
        "memory": str(definition.get("memory", "512")),
        "createdAt": now,
        "version": 1,
        "attachments": [{"id": task[:8], "type": "ElasticNetworkInterface", "status": "ATTACHED", "details": details}],
        "containers": [
            {
                "containerArn": f"arn:aws:ecs:{region}:{account}:container/{cluster}/{task}/{one['name']}",
                "taskArn": arn,
                "name": one["name"],
                "image": one["image"],
                "lastStatus": "PENDING",
                "healthStatus": "UNKNOWN",
                "networkInterfaces": [interface],
            }
            for one in definition["containerDefinitions"]
        ],
    }


def advance_task(task: Document, change: Document, now: float) -> None:
    """Change a task's document as its runner says."""
    task["version"] += 1
    if status := change.get("status"):
        task["lastStatus"] = status
        stamp = {"RUNNING": "startedAt", "DEACTIVATING": "stoppingAt", "STOPPED": "stoppedAt"}.get(status)
        if stamp:
            task[stamp] = now
    ending = task["lastStatus"] in ("DEACTIVATING", "STOPPING", "STOPPED")
    task["desiredStatus"] = "STOPPED" if ending else "RUNNING"
    task.update(
        {key: change[name] for name, key in (("stop_code", "stopCode"), ("reason", "stoppedReason")) if name in change}
    )
    if change.get("health"):
        task["healthStatus"] = change["health"]
    for container in task["containers"]:
        container["healthStatus"] = task["healthStatus"]
        container["lastStatus"] = {"RUNNING": "RUNNING", "STOPPED": "STOPPED"}.get(
            task["lastStatus"], container["lastStatus"]
        )
        if change.get("digest"):
            container["imageDigest"] = change["digest"]
        if change.get("exit_code") is not None:
            container["exitCode"] = change["exit_code"]
        elif change.get("stop_code") == "TaskFailedToStart":
            container["reason"] = change["reason"]
