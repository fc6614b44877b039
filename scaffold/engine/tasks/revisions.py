"""Service deployments and service revisions in the form of ECS's API."""

from __future__ import annotations

from scaffold.engine.tasks.deployment import failure_threshold
from scaffold.engine.tasks.documents import Document
from scaffold.engine.tasks.record import Record
from scaffold.engine.tasks.rollout import ALL_TRAFFIC, OPEN, Deployment, pausing
from scaffold.engine.tasks.service import Service

#: What DescribeServiceDeployments returns; ListServiceDeployments returns these members only.
BRIEF = (
    "serviceDeploymentArn",
    "serviceArn",
    "clusterArn",
    "createdAt",
    "startedAt",
    "finishedAt",
    "targetServiceRevisionArn",
    "status",
    "statusReason",
)


def service_deployments(settings: Document, service: Service) -> list[Document]:
    """The deployments of a service, the newest first, as DescribeServiceDeployments returns them, each with the ARN of
    its revision for ListServiceDeployments.

    Args:
        settings: What CreateService and UpdateService were given, with the service's ARNs.
    """
    return [_service_deployment(settings, service, one) for one in _newest_first(service)]


def current_deployment(settings: Document, service: Service) -> Document:
    """The newest deployment and the revisions that have tasks, as DescribeServices returns them."""
    newest_first = _newest_first(service)
    revisions = [one for one in newest_first if one is service.primary or service.of(one.identifier)]
    return {
        "currentServiceDeployment": _arn(settings, "service-deployment", newest_first[0].identifier),
        "currentServiceRevisions": [_revision_summary(settings, service, one.identifier) for one in revisions],
    }


def _newest_first(service: Service) -> list[Deployment]:
    """The deployments in progress and those that have ended, which a rollback makes current once more."""
    ended = {one.identifier for one in service.history}
    current = [one for one in service.deployments if one.identifier not in ended]
    return sorted([*current, *service.history], key=lambda one: one.created, reverse=True)


def _service_deployment(settings: Document, service: Service, deployment: Deployment) -> Document:
    target = revision_arn(settings, deployment.identifier)
    moment = deployment.updated or deployment.created
    document = {
        "serviceDeploymentArn": _arn(settings, "service-deployment", deployment.identifier),
        "serviceArn": settings["serviceArn"],
        "clusterArn": settings["clusterArn"],
        "createdAt": deployment.created,
        "startedAt": deployment.created,
        "updatedAt": moment,
        "status": deployment.status,
        "targetServiceRevisionArn": target,
        "targetServiceRevision": _summary(settings, service, deployment.identifier, deployment),
        "sourceServiceRevisions": [],
        "deploymentConfiguration": {
            **(settings.get("deploymentConfiguration") or {}),
            "strategy": deployment.strategy.name,
        },
        "deploymentCircuitBreaker": _circuit_breaker(service, deployment),
        "alarms": _alarms(deployment),
    }
    if deployment.source:
        document["sourceServiceRevisions"] = [_summary(settings, service, deployment.source, deployment)]
    if deployment.reason:
        document["statusReason"] = deployment.reason
    if deployment.stage and deployment.status == "IN_PROGRESS":
        document["lifecycleStage"] = deployment.stage.value
    if pausing(deployment):
        document["lifecycleHookDetails"] = [
            {
                "hookId": hook_id(deployment),
                "targetType": "PAUSE",
                "status": "AWAITING_ACTION",
                "expiresAt": deployment.until,
                "timeoutAction": "ROLLBACK",
            }
        ]
    if deployment.status.startswith("ROLLBACK"):
        back = revision_arn(settings, deployment.source)
        document["rollback"] = {"reason": deployment.reason, "startedAt": moment, "serviceRevisionArn": back}
    if deployment.status == "STOPPED":
        document["stoppedAt"] = moment
    if deployment.status not in OPEN:
        document["finishedAt"] = moment
    return document


def hook_id(deployment: Deployment) -> str:
    """The id of the hook that pauses a deployment."""
    return f"ecs-pause-{deployment.identifier.rpartition('/')[2]}"


def service_revision(record: Record, revision: str) -> Document | None:
    """A service revision as DescribeServiceRevisions returns it; None if there is none.

    Args:
        revision: The last part of its ARN.
    """
    known = (*record.state.deployments, *record.state.history)
    found = [one for one in known if one.identifier.rpartition("/")[2] == revision]
    return _revision(record, found[0]) if found else None


def _revision(record: Record, deployment: Deployment) -> Document:
    settings, definition = record.settings, record.definitions[deployment.definition]
    document = {
        "serviceRevisionArn": revision_arn(settings, deployment.identifier),
        "serviceArn": settings["serviceArn"],
        "clusterArn": settings["clusterArn"],
        "taskDefinition": deployment.definition,
        "launchType": "FARGATE",
        "createdAt": deployment.created,
        "containerImages": [
            {"containerName": one["name"], "image": one["image"]} for one in definition["containerDefinitions"]
        ],
    }
    for name in ("capacityProviderStrategy", "loadBalancers", "networkConfiguration", "platformVersion"):
        if name in settings:
            document[name] = settings[name]
    balancers = settings.get("loadBalancers", [])
    groups = [group for group, _, _ in record.target_groups(deployment.group)]
    rules = [(one.get("advancedConfiguration") or {}).get("productionListenerRule") for one in balancers]
    document["resolvedConfiguration"] = {
        "loadBalancers": [
            {"targetGroupArn": group, **({"productionListenerRule": rule} if rule else {})}
            for group, rule in zip(groups, rules, strict=True)
        ]
    }
    return document


def revision_arn(settings: Document, deployment: str) -> str:
    """The ARN of the revision that a deployment brings."""
    return _arn(settings, "service-revision", deployment)


def _arn(settings: Document, kind: str, deployment: str) -> str:
    arn = settings["serviceArn"].replace(":service/", f":{kind}/", 1)
    return f"{arn}/{deployment.rpartition('/')[2]}"


def _summary(settings: Document, service: Service, revision: str, deployment: Deployment) -> Document:
    """A revision as a deployment names it: its tasks, and its share of the traffic where that is shifted."""
    document = _revision_summary(settings, service, revision)
    if deployment.strategy.shifts and deployment.status in OPEN:
        alternate = service.alternate or 0.0
        green = alternate if deployment.group else ALL_TRAFFIC - alternate
        if service.alternate is None:
            green = 0.0
        share = green if revision == deployment.identifier else ALL_TRAFFIC - green
        document["requestedProductionTrafficWeight"] = share
    return document


def _revision_summary(settings: Document, service: Service, revision: str) -> Document:
    own = service.of(revision)
    running = sum(task.running_since is not None for task in own)
    is_primary = revision == service.primary.identifier
    return {
        "arn": revision_arn(settings, revision),
        "requestedTaskCount": service.desired if own or is_primary else 0,
        "runningTaskCount": running,
        "pendingTaskCount": len(own) - running,
    }


def _circuit_breaker(service: Service, deployment: Deployment) -> Document:
    threshold = failure_threshold(service.desired)
    if not service.rules.breaker:
        status = "DISABLED"
    elif deployment.failed >= threshold:
        status = "TRIGGERED"
    else:
        status = "MONITORING" if deployment.status == "IN_PROGRESS" else "MONITORING_COMPLETE"
    return {"status": status, "failureCount": deployment.failed, "threshold": threshold}


def _alarms(deployment: Deployment) -> Document:
    names, watch = deployment.strategy.alarms, deployment.watch
    if not names or watch.ignored:
        status = "DISABLED"
    elif watch.triggered:
        status = "TRIGGERED"
    else:
        status = "MONITORING" if deployment.status == "IN_PROGRESS" else "MONITORING_COMPLETE"
    return {"status": status, "alarmNames": list(names), "triggeredAlarmNames": list(watch.triggered)}
