"""How long a small change takes to production, simulated over the rendered pipeline with published durations.

Production has the change once it gets traffic; bake times and draining of production come after that, as do people's
decisions before it, in both pipelines. Durations are in seconds.
"""

from __future__ import annotations

from itertools import groupby
from typing import Any

from tests.infrastructure.stacks import Stacks, one

# Assumed, and the same in both pipelines.
SOURCE, BUILD_START, CHECK, NO_CHANGE, NEW_TASK_DEFINITION = 10, 45, 15, 10, 20
# "How to speed up AWS CodeBuild Docker builds", dev.to/aws-builders: about six minutes without a cache.
IMAGE = 360
# "Reduce AWS Fargate pull times with SOCI", elasticscale.com: 53 to 62 seconds for an image of 413 MB.
TASK_START = 60
# The defaults of target groups: five checks, one each 30 seconds, and five minutes of draining.
DEFAULT_HEALTHY, DEFAULT_DRAINING = 5 * 30, 300


def rebuilt(environments: int) -> int:
    """The time of a pipeline that builds the image again for each environment, and deploys with ECS's defaults."""
    build, answers = BUILD_START + IMAGE, TASK_START + DEFAULT_HEALTHY
    return SOURCE + environments * (build + answers) + (environments - 1) * DEFAULT_DRAINING


def to_production(stacks: Stacks, production: str) -> int:
    """The time of the generated pipeline, for a change of the application only."""
    ((_, pipeline),) = one(stacks, "pipeline").of_type("AWS::CodePipeline::Pipeline")
    total = 0
    for stage in pipeline["Stages"]:
        last = stage["Name"] == production.title()
        actions = sorted(stage["Actions"], key=_order)
        for _, together in groupby(actions, key=_order):
            running = list(together)
            total += max(_duration(stacks, action, in_production=last) for action in running)
            if last and any(action["Name"] == "Service" for action in running):
                return total
    raise LookupError(f"no stage releases to {production}")


def _order(action: dict[str, Any]) -> int:
    return int(action.get("RunOrder", 1))


def _duration(stacks: Stacks, action: dict[str, Any], *, in_production: bool) -> int:
    category, provider = action["ActionTypeId"]["Category"], action["ActionTypeId"]["Provider"]
    if category in ("Source", "Approval"):
        return SOURCE if category == "Source" else 0
    if provider == "CodeBuild":
        return BUILD_START + (IMAGE if action["Name"] == "Build" else CHECK)
    if action["Name"] == "Service":
        return _service(stacks, action["Configuration"]["StackName"], in_production=in_production)
    return NEW_TASK_DEFINITION if action["Name"] == "TaskDefinition" else NO_CHANGE


def _service(stacks: Stacks, name: str, *, in_production: bool) -> int:
    """The release of new tasks: all at once, as blue/green deployments and rolling ones of few tasks are."""
    environment = stacks[name.removesuffix("-service") + "-environment"]
    groups = [group for _, group in environment.of_type("AWS::ElasticLoadBalancingV2::TargetGroup")]
    healthy = max(group["HealthyThresholdCount"] * group["HealthCheckIntervalSeconds"] for group in groups)
    answers = TASK_START + int(healthy)
    if in_production:
        return answers
    draining = max(
        int(one["Value"])
        for group in groups
        for one in group["TargetGroupAttributes"]
        if one["Key"] == "deregistration_delay.timeout_seconds"
    )
    return answers + 60 * int(stacks[name].parameters["BakeMinutes"]) + draining
