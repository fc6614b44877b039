"""Tasks on local AWS: the agent has the execution role, the application the task role."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from scaffold.local.environment import running_local_aws
from tests.engine.roles import create_role, policy
from tests.engine.tasks.test_running import Account, template, wait

PULL = ("ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer")
LOG = ("logs:CreateLogStream", "logs:PutLogEvents")
IMAGE = "arn:aws:ecr:us-east-1:000000000000:repository/shop"
STREAM = "arn:aws:logs:us-east-1:000000000000:log-group:/shop:log-stream:tasks/app/TASK"


def allowing(*actions: str) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": actions, "Resource": "*"}


@pytest.fixture(scope="module")
def account() -> Iterator[Account]:
    with running_local_aws(runs=True) as aws:
        yield Account(aws)


@pytest.fixture(scope="module")
def image(account: Account) -> str:
    return account.registry.push_server("shop")


def test_a_task_has_the_credentials_of_its_role(account: Account, image: str) -> None:
    iam = account.client("iam")
    described = template("roles", image, APP_VERSION="1")
    definition = described["Resources"]["Definition"]["Properties"]
    execution = create_role(iam, "execution", allowing("ecr:GetAuthorizationToken", *PULL, *LOG))
    definition["ExecutionRoleArn"] = execution
    definition["TaskRoleArn"] = create_role(iam, "task", allowing("ecr:DescribeImages"))
    account.stacks.create_stack(StackName="roles", TemplateBody=json.dumps(described))
    assert account.settled("roles") == "CREATE_COMPLETE"
    found = json.loads(account.get("roles", "/environment"))
    keys = found["AWS_ACCESS_KEY_ID"], found["AWS_SECRET_ACCESS_KEY"], found["AWS_SESSION_TOKEN"]

    def client(service: str) -> Any:
        return boto3.session.Session(*keys).client(service, "us-east-1", endpoint_url=account.endpoint)

    (task,) = account.tasks("roles")
    expected = f"arn:aws:sts::000000000000:assumed-role/task/{task['taskArn'].rpartition('/')[2]}"
    assert client("sts").get_caller_identity()["Arn"] == expected
    assert client("ecr").describe_images(repositoryName="shop")["imageDetails"]
    with pytest.raises(ClientError) as denied:
        client("ecr").list_images(repositoryName="shop")
    assert denied.value.response["Error"]["Code"] == "AccessDeniedException"


def test_a_task_does_not_start_without_permissions_of_its_execution_role(account: Account, image: str) -> None:
    ecs, iam = account.ecs, account.client("iam")
    ecs.create_cluster(clusterName="denied")
    roles = {
        "sign-in": (allowing(*PULL, *LOG), "ecr:GetAuthorizationToken on resource: *"),
        "pull": (allowing("ecr:GetAuthorizationToken", *LOG), f"ecr:BatchGetImage on resource: {IMAGE}"),
        "log": (allowing("ecr:GetAuthorizationToken", *PULL), f"logs:CreateLogStream on resource: {STREAM}"),
    }
    for name, (statement, _) in roles.items():
        definition = template(name, image)["Resources"]["Definition"]["Properties"]
        container = definition["ContainerDefinitions"][0]
        registered = ecs.register_task_definition(
            family=name,
            networkMode="awsvpc",
            requiresCompatibilities=["FARGATE"],
            cpu="256",
            memory="512",
            executionRoleArn=create_role(iam, f"execution-{name}", statement),
            containerDefinitions=[
                {
                    "name": "app",
                    "image": image,
                    "logConfiguration": {
                        "logDriver": "awslogs",
                        "options": container["LogConfiguration"]["Options"],
                    },
                }
            ],
        )["taskDefinition"]["taskDefinitionArn"]
        ecs.create_service(cluster="denied", serviceName=name, taskDefinition=registered, desiredCount=1)

    def stopped(name: str) -> list[str]:
        arns = ecs.list_tasks(cluster="denied", serviceName=name, desiredStatus="STOPPED")["taskArns"]
        found = ecs.describe_tasks(cluster="denied", tasks=arns)["tasks"] if arns else []
        return [one["stoppedReason"].replace(one["taskArn"].rpartition("/")[2], "TASK") for one in found]

    for name, (_, expected) in roles.items():
        wait(lambda: bool(stopped(name)))  # noqa: B023 (called at once)
        assert f"is not authorized to perform: {expected} because no identity-based" in stopped(name)[0]
        ecs.delete_service(cluster="denied", service=name, force=True)


@pytest.mark.slow
def test_targets_are_registered_with_the_role_of_the_service(account: Account, image: str) -> None:
    """A task that may not be registered is stopped."""
    described, iam = template("balanced", image), account.client("iam")
    del described["Resources"]["Service"]
    account.stacks.create_stack(StackName="balanced", TemplateBody=json.dumps(described))
    assert account.settled("balanced") == "CREATE_COMPLETE"
    resources = account.stacks.describe_stack_resources(StackName="balanced")["StackResources"]
    physical = {one["LogicalResourceId"]: one["PhysicalResourceId"] for one in resources}
    arn, role = physical["Group"], create_role(iam, "balancing", allowing("elasticloadbalancing:Describe*"))
    advanced = {"alternateTargetGroupArn": physical["Other"], "productionListenerRule": physical["Rule"]}
    balancer = {"targetGroupArn": arn, "containerName": "app", "containerPort": 8080}
    account.ecs.create_service(
        cluster="balanced",
        serviceName="balanced",
        taskDefinition=physical["Definition"],
        desiredCount=1,
        loadBalancers=[balancer | {"advancedConfiguration": advanced | {"roleArn": role}}],
    )
    action = "elasticloadbalancing:RegisterTargets"

    def reasons() -> list[str]:
        found = [one.get("stoppedReason", "") for one in account.tasks("balanced", "STOPPED")]
        return [one for one in found if action in one]

    wait(lambda: bool(reasons()))
    user = "User: arn:aws:sts::000000000000:assumed-role/balancing/ecs-service-scheduler"
    denied = f"{user} is not authorized to perform: {action} on resource: {arn} because no identity-based policy"
    assert reasons()[0].startswith(f"failed to register targets in (target-group {arn}) with (error {denied}")
    allowed = policy(allowing("elasticloadbalancing:*"))
    iam.put_role_policy(RoleName="balancing", PolicyName="given", PolicyDocument=allowed)
    elb = account.client("elbv2")
    wait(lambda: bool(elb.describe_target_health(TargetGroupArn=arn)["TargetHealthDescriptions"]))
    account.ecs.delete_service(cluster="balanced", service="balanced", force=True)
