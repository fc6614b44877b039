"""Refuses services that ECS refuses, and those that are not rehearsed."""

from __future__ import annotations

from scaffold.engine.balancer.rules import weighted_groups
from scaffold.local import ministack_bridge
from scaffold.local.protocol import Document, ServiceError

#: The settings that UpdateService may change and that are checked together.
CHECKED = ("deploymentConfiguration", "loadBalancers")

_CONFIGURATIONS = {"canaryConfiguration": "CANARY", "linearConfiguration": "LINEAR"}
_PERCENTAGES = {"canaryConfiguration": ("canaryPercent", 0.1), "linearConfiguration": ("stepPercent", 3.0)}
_LONGEST_PAUSE = 20_160
_ADVANCED = ("alternateTargetGroupArn", "productionListenerRule", "roleArn")

# What a service may have. Everything else is not rehearsed, unless it is empty or off.
_REHEARSED = (
    *("availabilityZoneRebalancing", "capacityProviderStrategy", "clientToken", "cluster", "deploymentConfiguration"),
    *("deploymentController", "desiredCount", "enableECSManagedTags", "enableExecuteCommand", "forceNewDeployment"),
    *("healthCheckGracePeriodSeconds", "launchType", "loadBalancers", "networkConfiguration", "platformVersion"),
    *("propagateTags", "role", "schedulingStrategy", "service", "serviceName", "tags", "taskDefinition"),
)


def check(given: Document) -> None:
    """Check what CreateService or UpdateService were given.

    Raises:
        ServiceError: ECS refuses it, or it is not rehearsed.
    """
    for name, value in given.items():
        if value and name not in _REHEARSED and value != {"enabled": False}:
            raise _not_rehearsed(f"{name} of a service")
    if given.get("schedulingStrategy", "REPLICA") != "REPLICA":
        raise _not_rehearsed("the scheduling strategy DAEMON")
    controller = (given.get("deploymentController") or {}).get("type", "ECS")
    if controller != "ECS":
        raise _not_rehearsed(f"the deployment controller {controller}")
    _check_strategy(given.get("deploymentConfiguration") or {}, given.get("loadBalancers", []))
    actions = [action for rule in ministack_bridge.rule_records() for action in rule["Actions"]]
    used = {group["TargetGroupArn"] for action in actions for group in weighted_groups(action)}
    for balancer in given.get("loadBalancers", []):
        if balancer.get("targetGroupArn") not in used:
            raise _invalid(
                f"The target group with targetGroupArn {balancer.get('targetGroupArn')} does not have an associated "
                "load balancer."
            )


def _check_strategy(configuration: Document, balancers: list[Document]) -> None:
    strategy = configuration.get("strategy", "ROLLING")
    if configuration.get("earlySuccessCriteria"):
        raise _not_rehearsed("early success criteria of deployments")
    _check_hooks(configuration.get("lifecycleHooks") or [], balancers)
    for name, owner in _CONFIGURATIONS.items():
        if name not in configuration:
            continue
        if strategy != owner:
            raise _invalid(f"{name} can only be specified with the deployment strategy {owner}.")
        member, least = _PERCENTAGES[name]
        if not least <= configuration[name].get(member, least) <= 100:
            raise _invalid(f"{member} must be between {least} and 100.0.")
    if strategy == "ROLLING":
        return
    if len(balancers) != 1:
        raise _not_rehearsed(f"the strategy {strategy} with {len(balancers)} load balancers")
    advanced = balancers[0].get("advancedConfiguration") or {}
    if not all(advanced.get(name) for name in _ADVANCED):
        raise _invalid(
            "advancedConfiguration field is required for all loadBalancers when using a non-ROLLING deployment "
            "strategy."
        )


def _check_hooks(hooks: list[Document], balancers: list[Document]) -> None:
    for hook in hooks:
        if hook.get("targetType", "AWS_LAMBDA") != "PAUSE":
            raise _not_rehearsed(f"lifecycle hooks of the type {hook.get('targetType', 'AWS_LAMBDA')}")
        if hook["lifecycleStages"] != ["POST_TEST_TRAFFIC_SHIFT"]:
            raise _not_rehearsed(f"pauses in the stages {', '.join(hook['lifecycleStages'])}")
        timeout = hook.get("timeoutConfiguration") or {}
        if "timeoutInMinutes" not in timeout or timeout.get("action") != "ROLLBACK":
            raise _not_rehearsed("pauses without timeout and the action ROLLBACK")
        if not 1 <= timeout["timeoutInMinutes"] <= _LONGEST_PAUSE:
            raise _invalid(f"timeoutInMinutes must be between 1 and {_LONGEST_PAUSE}.")
    if len(hooks) > 1:
        raise _not_rehearsed("several lifecycle hooks")
    advanced = [one.get("advancedConfiguration") or {} for one in balancers]
    if hooks and not any(one.get("testListenerRule") for one in advanced):
        raise _not_rehearsed("lifecycle hooks without a test listener rule")


def _invalid(message: str) -> ServiceError:
    return ServiceError("InvalidParameterException", message)


def _not_rehearsed(what: str) -> ServiceError:
    return ServiceError("UnsupportedFeatureException", f"not rehearsed: {what}")
