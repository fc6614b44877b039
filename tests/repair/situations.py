"""The states in which a service is stuck, caused by real sequences of calls, and the repair of them."""

from __future__ import annotations

import json
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from scaffold.commands import repair as command
from scaffold.commands.repair import RepairOptions
from scaffold.console.console import Console
from scaffold.core.target import configured_target
from scaffold.deployment.repair import RepairResult
from scaffold.deployment.repair import repair as repair_service
from scaffold.service import names
from scaffold.service.service import read
from tests.deploy.services import all_stacks, client, environment_stack, foundation_stack

HANDLE = {"Type": "AWS::CloudFormation::WaitConditionHandle"}
TOPIC = {"Topic": {"Type": "AWS::SNS::Topic"}}
# Local AWS refuses it when it is created.
BROKEN = {"Nat": {"Type": "AWS::EC2::NatGateway", "Properties": {"SubnetId": "subnet-0", "AllocationId": "none"}}}


def app_of(service: Path) -> str:
    return read(service).app_name


def repair(root: Path, environment: str | None = None, **options: Any) -> RepairResult:
    """Repair, confirmed unless another `confirm` is given."""
    confirm = options.pop("confirm", None)
    if confirm is None:
        return command.run(RepairOptions(root, environment, yes=True, **options), Console())
    service = read(root)
    given = {"skip": (), "plan": False} | options
    target = configured_target(service.region)
    return repair_service(service, target, environment=environment, confirm=confirm, console=Console(), **given)


def status(stack: str) -> str | None:
    """A stack's status; None where there is no such stack."""
    found = all_stacks()
    return next((one["StackStatus"] for one in found if one["StackName"] == stack), None)


def wait_for(stack: str, *wanted: str) -> None:
    for _ in range(200):
        if status(stack) in wanted:
            return
        time.sleep(0.1)
    raise AssertionError(f"{stack} is {status(stack)}")


def template(resources: dict[str, Any]) -> str:
    return json.dumps({"Resources": resources})


def tags(app: str) -> list[dict[str, str]]:
    return [{"Key": names.TAG_SERVICE, "Value": app}]


def wait_condition(after: str) -> dict[str, Any]:
    """Resources that keep an update in progress until it is failed."""
    properties = {"Handle": {"Ref": "Handle"}, "Timeout": "60"}
    wait = {"Type": "AWS::CloudFormation::WaitCondition", "DependsOn": [after], "Properties": properties}
    return {"Handle": HANDLE, "Wait": wait}


def wait_for_wait_condition(stack: str) -> None:
    """Wait until all other resources are updated."""
    for _ in range(500):
        events = client("cloudformation").describe_stack_events(StackName=stack)["StackEvents"]
        if "Wait" in {event["LogicalResourceId"] for event in events}:
            return
        time.sleep(0.02)
    raise AssertionError(f"{stack} does not wait")


def fail_wait_condition(stack: str) -> None:
    signal = {"StackName": stack, "LogicalResourceId": "Wait", "UniqueId": "test", "Status": "FAILURE"}
    for _ in range(500):
        with suppress(ClientError):  # Its event comes before it accepts signals.
            client("cloudformation").signal_resource(**signal)
            return
        time.sleep(0.02)
    raise AssertionError(f"{stack} accepts no signal")


def create(stack: str, app: str, resources: dict[str, Any], **more: Any) -> None:
    """Create a stack of the service, or update a prepared one, and wait for its end, whatever that is."""
    change = client("cloudformation").update_stack if status(stack) else client("cloudformation").create_stack
    change(StackName=stack, TemplateBody=template(resources), Tags=tags(app), **more)
    wait_for(stack, "CREATE_COMPLETE", "CREATE_FAILED", "ROLLBACK_COMPLETE", "UPDATE_COMPLETE")


def make_ecs_service(app: str, environment: str) -> dict[str, str]:
    """Create an ECS service with the environment's names; return how Application Auto Scaling names it."""
    ecs, name = client("ecs"), names.cluster(app, environment)
    ecs.create_cluster(clusterName=name)
    ecs.register_task_definition(family=name, containerDefinitions=[{"name": "app", "image": "image"}])
    ecs.create_service(cluster=name, serviceName=name, taskDefinition=name, desiredCount=1)
    return {
        "ServiceNamespace": "ecs",
        "ScalableDimension": "ecs:service:DesiredCount",
        "ResourceId": f"service/{name}/{name}",
    }


def scaling(target: dict[str, str], percent: int) -> dict[str, Any]:
    """Resources that scale an ECS service."""
    metric = {"PredefinedMetricSpecification": {"PredefinedMetricType": "ECSServiceAverageCPUUtilization"}}
    return {
        "Target": {
            "Type": "AWS::ApplicationAutoScaling::ScalableTarget",
            "Properties": {**target, "MinCapacity": 1, "MaxCapacity": 2, "RoleARN": "arn:aws:iam::000000000000:role/r"},
        },
        "Policy": {
            "Type": "AWS::ApplicationAutoScaling::ScalingPolicy",
            "DependsOn": "Target",
            "Properties": {
                **target,
                "PolicyName": "cpu",
                "PolicyType": "TargetTrackingScaling",
                "TargetTrackingScalingPolicyConfiguration": {"TargetValue": percent, **metric},
            },
        },
    }


def failed_rollback(app: str, environment: str = "dev", stack: str = "") -> tuple[str, dict[str, str]]:
    """A stack whose rollback failed, since a person deregistered the scalable target; the stack and the target.

    Args:
        stack: Its name; empty for that of the environment's service.
    """
    stack = stack or environment_stack(app, environment, "service")
    target = make_ecs_service(app, environment)
    create(stack, app, scaling(target, 50))
    client("cloudformation").update_stack(
        StackName=stack, TemplateBody=template({**scaling(target, 60), **wait_condition("Policy")}), Tags=tags(app)
    )
    wait_for_wait_condition(stack)
    client("application-autoscaling").deregister_scalable_target(**target)
    fail_wait_condition(stack)
    wait_for(stack, "UPDATE_ROLLBACK_FAILED")
    return stack, target


def register_again(target: dict[str, str]) -> None:
    """Fix the cause of the failed rollback."""
    client("application-autoscaling").register_scalable_target(MinCapacity=1, MaxCapacity=2, **target)


def in_review(stack: str, app: str) -> None:
    """A stack whose first change set was never executed."""
    client("cloudformation").create_change_set(
        StackName=stack, ChangeSetName="release", ChangeSetType="CREATE", TemplateBody=template(TOPIC), Tags=tags(app)
    )


def updating(stack: str, app: str) -> None:
    """A stack whose update is in progress until it is failed."""
    create(stack, app, TOPIC)
    client("cloudformation").update_stack(
        StackName=stack, TemplateBody=template({**TOPIC, **wait_condition("Topic")}), Tags=tags(app)
    )
    wait_for_wait_condition(stack)


def foundation_output(app: str, key: str) -> str:
    described = client("cloudformation").describe_stacks(StackName=foundation_stack(app))["Stacks"][0]
    return str(next(one["OutputValue"] for one in described["Outputs"] if one["OutputKey"] == key))


def key_of(app: str) -> str:
    """The id of the foundation's key."""
    resource = client("cloudformation").describe_stack_resource(
        StackName=foundation_stack(app), LogicalResourceId="Key"
    )
    return str(resource["StackResourceDetail"]["PhysicalResourceId"])


def key_state(key: str) -> str:
    return str(client("kms").describe_key(KeyId=key)["KeyMetadata"]["KeyState"])
