"""Emulates Application Auto Scaling's API: it stores targets, policies and scheduled actions. They scale nothing."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable

from scaffold.local import ministack_bridge
from scaffold.local.protocol import ACCOUNT, AwsService, Call, Document, ServiceError

Key = tuple[str, ...]
_ECS_ROLE = (
    f"arn:aws:iam::{ACCOUNT}:role/aws-service-role/ecs.application-autoscaling.amazonaws.com/"
    "AWSServiceRoleForApplicationAutoScaling_ECSService"
)
_RESOURCE = ("ServiceNamespace", "ResourceId", "ScalableDimension")


class ApplicationAutoScaling(AwsService):
    """Scalable targets, scaling policies and scheduled actions."""

    name = "application-autoscaling"

    def __init__(self, hold_limits: Callable[[str, Document], None] | None = None) -> None:
        self._targets: dict[Key, Document] = {}
        self._policies: dict[Key, Document] = {}
        self._scheduled: dict[Key, Document] = {}
        self._hold_limits = hold_limits

    def target_arn(self, region: str, resource: Document) -> str:
        """The ARN of a scalable target, which has a random id; empty if it is not registered."""
        key = (region, *(resource[name] for name in _RESOURCE))
        return str(self._targets[key]["ScalableTargetARN"]) if key in self._targets else ""

    def register_scalable_target(self, call: Call) -> Document:
        """Register or update a target."""
        given, key = call.parameters, _key(call)
        if key not in self._targets:
            if given["ServiceNamespace"] == "ecs" and not _ecs_service_exists(given["ResourceId"], call.region):
                raise ServiceError("ValidationException", f"ECS service doesn't exist: {given['ResourceId']}")
            for needed in ("MinCapacity", "MaxCapacity"):
                if needed not in given:
                    raise ServiceError("ValidationException", f"{needed} is required for a new scalable target")
            identifier = uuid.uuid4().hex[:24]
            self._targets[key] = {
                "ScalableTargetARN": f"{_arn_prefix(call)}:scalable-target/{identifier}",
                "RoleARN": _ECS_ROLE,
                "CreationTime": time.time(),
                "SuspendedState": {
                    "DynamicScalingInSuspended": False,
                    "DynamicScalingOutSuspended": False,
                    "ScheduledScalingSuspended": False,
                },
            }
        target = self._targets[key]
        changed = {name: given[name] for name in given if name not in ("SuspendedState", "Tags")}
        low, high = ({**target, **changed}[name] for name in ("MinCapacity", "MaxCapacity"))
        if low > high:
            raise ServiceError("ValidationException", "Maximum capacity cannot be less than minimum capacity")
        target.update(changed)
        target["SuspendedState"] |= given.get("SuspendedState", {})
        if self._hold_limits:
            self._hold_limits(call.region, target)
        return {"ScalableTargetARN": target["ScalableTargetARN"]}

    def describe_scalable_targets(self, call: Call) -> Document:
        """List targets."""
        wanted = set(call.parameters.get("ResourceIds", []))
        found = [t for t in self._matching(self._targets, call) if not wanted or t["ResourceId"] in wanted]
        return {"ScalableTargets": found}

    def deregister_scalable_target(self, call: Call) -> Document:
        """Delete a target with its policies and scheduled actions."""
        key = _key(call)
        if self._targets.pop(key, None) is None:
            raise ServiceError("ObjectNotFoundException", _not_found_message("scalable target", call))
        for store in (self._policies, self._scheduled):
            for dependent in [other for other in store if other[: len(key)] == key]:
                del store[dependent]
        return {}

    def put_scaling_policy(self, call: Call) -> Document:
        """Create or update a policy."""
        key = self._key_below_target(call, "PolicyName")
        old = self._policies.get(key)
        if old is None and "PolicyType" not in call.parameters:
            raise ServiceError("ValidationException", "PolicyType is required for a new scaling policy")
        base = old or {
            "PolicyARN": _arn(call, "scalingPolicy", f"policyName/{call.parameters['PolicyName']}"),
            "CreationTime": time.time(),
            "Alarms": [],
        }
        policy = self._policies[key] = base | call.parameters
        return {"PolicyARN": policy["PolicyARN"], "Alarms": []}

    def describe_scaling_policies(self, call: Call) -> Document:
        """List policies."""
        return {"ScalingPolicies": self._named(self._policies, call, "PolicyName")}

    def delete_scaling_policy(self, call: Call) -> Document:
        """Delete a policy."""
        return _delete(self._policies, call, "PolicyName", "scaling policy")

    def put_scheduled_action(self, call: Call) -> Document:
        """Create or update a scheduled action. An update without times deletes the old ones."""
        key = self._key_below_target(call, "ScheduledActionName")
        old = self._scheduled.get(key)
        if old is None and "Schedule" not in call.parameters:
            raise ServiceError("ValidationException", "Schedule is required for a new scheduled action")
        base = old or {
            "ScheduledActionARN": _arn(
                call, "scheduledAction", f"scheduledActionName/{call.parameters['ScheduledActionName']}"
            ),
            "CreationTime": time.time(),
        }
        kept = {name: value for name, value in base.items() if name not in ("StartTime", "EndTime")}
        self._scheduled[key] = kept | call.parameters
        return {}

    def describe_scheduled_actions(self, call: Call) -> Document:
        """List scheduled actions."""
        return {"ScheduledActions": self._named(self._scheduled, call, "ScheduledActionName")}

    def delete_scheduled_action(self, call: Call) -> Document:
        """Delete a scheduled action."""
        return _delete(self._scheduled, call, "ScheduledActionName", "scheduled action")

    def _key_below_target(self, call: Call, name: str) -> Key:
        """The key of what a scalable target has, which has to exist."""
        if _key(call) not in self._targets:
            raise ServiceError("ObjectNotFoundException", _not_found_message("scalable target", call))
        return (*_key(call), call.parameters[name])

    def _named(self, store: dict[Key, Document], call: Call, name: str) -> list[Document]:
        """The entries that match a call, and that it names if it names any."""
        wanted = set(call.parameters.get(f"{name}s", []))
        return [one for one in self._matching(store, call) if not wanted or one[name] in wanted]

    @staticmethod
    def _matching(store: dict[Key, Document], call: Call) -> list[Document]:
        """The entries of the call's region and, if the call names a resource, of that resource."""
        wanted = {name: call.parameters[name] for name in _RESOURCE if name in call.parameters}
        return [
            entry
            for key, entry in store.items()
            if key[0] == call.region and all(entry[name] == value for name, value in wanted.items())
        ]


def _ecs_service_exists(resource_id: str, region: str) -> bool:
    kind, _, names = resource_id.partition("/")
    cluster, _, service = names.partition("/")
    if kind != "service" or not service:
        return False
    try:
        given = {"cluster": cluster, "services": [service]}
        found = ministack_bridge.call("ecs", "DescribeServices", given, region)
    except ServiceError:
        return False
    return any(description["status"] == "ACTIVE" for description in found.get("services", []))


def _key(call: Call) -> Key:
    return (call.region, *(call.parameters[name] for name in _RESOURCE))


def _arn_prefix(call: Call) -> str:
    return f"arn:aws:application-autoscaling:{call.region}:{ACCOUNT}"


def _arn(call: Call, kind: str, name: str) -> str:
    """The ARN of what a scalable target has."""
    resource = f"{call.parameters['ServiceNamespace']}/{call.parameters['ResourceId']}"
    return f"{_arn_prefix(call)}:{kind}:{uuid.uuid4()}:resource/{resource}:{name}"


def _delete(store: dict[Key, Document], call: Call, name: str, kind: str) -> Document:
    if store.pop((*_key(call), call.parameters[name]), None) is None:
        raise ServiceError("ObjectNotFoundException", _not_found_message(kind, call))
    return {}


def _not_found_message(kind: str, call: Call) -> str:
    namespace, resource, dimension = (call.parameters[name] for name in _RESOURCE)
    return (
        f"No {kind} found for service namespace: {namespace}, resource ID: {resource}, scalable dimension: {dimension}"
    )
