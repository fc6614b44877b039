"""Office hours of an environment: the scheduled actions of its service, and who may wake it."""

from __future__ import annotations

from typing import Any

from ..registry import probe
from ..roles import Caller
from ..sandbox import Sandbox
from ..services import Environment
from ..verdicts import Unavailable, Verdict, decided

_IAM: dict[str, Any] = {"Capabilities": ["CAPABILITY_IAM"]}
_LIMIT = "      MaxCapacity: !Ref MaxTasks\n"
_ACTIONS = """\
      ScheduledActions:
        - ScheduledActionName: wake
          Schedule: cron(0 7 ? * MON *)
          ScalableTargetAction: {MinCapacity: 1, MaxCapacity: 2}
        - ScheduledActionName: sleep
          Schedule: cron(0 19 * * ? *)
          ScalableTargetAction: {MinCapacity: 0, MaxCapacity: 0}
"""


def _target(development: Environment) -> dict[str, str]:
    return {
        "ServiceNamespace": "ecs",
        "ResourceId": f"service/{development.name}/{development.name}",
        "ScalableDimension": "ecs:service:DesiredCount",
    }


@probe("removed-scheduled-actions", scenario="service")
def removed_scheduled_actions(sandbox: Sandbox) -> Verdict:
    """Updates of the service's stack that give it scheduled actions, and take them away while it is asleep."""
    development = Environment(sandbox, sandbox.after("service", "second release"), "dev")
    scaling, stack, target = sandbox.client("application-autoscaling"), development.service_stack, _target(development)
    with sandbox.alone("service of dev"):
        before = sandbox.client("cloudformation").get_template(StackName=stack.name)["TemplateBody"]
        if _LIMIT not in before:
            raise Unavailable("the template of the service has no limits of its tasks")
        parameters = stack.changed_parameters()
        statuses = [stack.update(before.replace(_LIMIT, _LIMIT + _ACTIONS), Parameters=parameters, **_IAM)]
        actions = [len(scaling.describe_scheduled_actions(**target)["ScheduledActions"])]
        scaling.register_scalable_target(**target, MinCapacity=0, MaxCapacity=0)
        statuses.append(stack.update(before, Parameters=parameters, **_IAM))
        actions.append(len(scaling.describe_scheduled_actions(**target)["ScheduledActions"]))
        (limits,) = scaling.describe_scalable_targets(ServiceNamespace="ecs", ResourceIds=[target["ResourceId"]])[
            "ScalableTargets"
        ]
        # Otherwise other probes would find no task.
        most = int(limits["MaxCapacity"])
        if not most:
            scaling.register_scalable_target(**target, MinCapacity=1, MaxCapacity=2)
    evidence = (
        f"the stack was in {' and '.join(statuses)}, with {actions} actions; then at most {most} tasks were allowed"
    )
    return decided(actions == [2, 0] and most > 0, evidence)


@probe("wake-permissions", scenario="service")
def wake_permissions(sandbox: Sandbox) -> Verdict:
    """A role with the permissions of the build that wakes environments, which registers the target as it is."""
    development = Environment(sandbox, sandbox.after("service", "second release"), "dev")
    target, service = _target(development), sandbox.arn("ecs", f"service/{development.name}/{development.name}")
    caller = Caller.with_permissions(
        sandbox,
        "wake",
        {"Effect": "Allow", "Action": "ecs:DescribeServices", "Resource": service},
        {
            "Effect": "Allow",
            "Action": "ecs:UpdateService",
            "Resource": service,
            "Condition": {"Null": {"ecs:task-definition": "true"}},
        },
        {"Effect": "Allow", "Action": "application-autoscaling:Describe*", "Resource": "*"},
        {
            "Effect": "Allow",
            "Action": ["application-autoscaling:PutScheduledAction", "application-autoscaling:RegisterScalableTarget"],
            "Resource": sandbox.arn("application-autoscaling", "scalable-target/*"),
            "Condition": {"StringEqualsIfExists": {"application-autoscaling:service-namespace": "ecs"}},
        },
    )
    scaling = caller.client("application-autoscaling")
    with sandbox.alone("service of dev"):
        found = sandbox.client("application-autoscaling").describe_scalable_targets(
            ServiceNamespace="ecs", ResourceIds=[target["ResourceId"]]
        )["ScalableTargets"][0]
        limits = {name: found[name] for name in ("MinCapacity", "MaxCapacity")}
        message = caller.may(lambda: scaling.register_scalable_target(**target, **limits), "RegisterScalableTarget")
    return decided(not message, message or f"the limits of the tasks were registered, {limits}")
