"""How requests reach the tasks: options that change while the service runs."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from scaffold.local.environment import local_aws
from tests.infrastructure.test_local_aws import Account
from tests.infrastructure.variants import BUILD_VPC, INGRESS

ANSWERS = {"app_name": "reached", "environments": "live"}
HEALTH = {"port": 3000, "health_path": "/internal/healthz", "health_grace_seconds": 150, "scratch_gib": 50}


@pytest.fixture(scope="module")
def account(generated: Callable[..., Path]) -> Iterator[Account]:
    with local_aws() as variables:
        account = Account(variables, generated(**ANSWERS))
        for kind in ("foundation", "permissions"):
            account.apply(kind, f"{kind}.yaml", f"{kind}.json")
        account.apply("live-deploy-role", "deploy-role.yaml", "live/deploy-role.json")
        yield account


def open_ports(account: Account, group: str, direction: str) -> set[int]:
    described = account.client("ec2").describe_security_groups(
        Filters=[{"Name": "tag:Name", "Values": [f"{account.app}-live-{group}"]}]
    )
    return {rule["FromPort"] for rule in described["SecurityGroups"][0][direction]}


def test_blocks_are_let_in_and_everybody_again(account: Account, generated: Callable[..., Path]) -> None:
    found = []
    for answers in ({}, {"customize": True, **BUILD_VPC, "ingress_cidrs": INGRESS}, {}):
        account._folder = generated(**ANSWERS, **answers) / "infrastructure"
        account.apply("live-network", "network.yaml", "live/network.json")
        account.apply("live-environment", "environment.yaml", "live/environment.json")
        (group,) = account.client("ec2").describe_security_groups(
            Filters=[{"Name": "tag:Name", "Values": [f"{account.app}-live-load-balancer"]}]
        )["SecurityGroups"]
        blocks = [block["CidrIp"] for rule in group["IpPermissions"] for block in rule["IpRanges"]]
        found.append((group["GroupId"], sorted(blocks)))
    some = ["198.51.100.0/24", "203.0.113.7/32"]
    assert [blocks for _, blocks in found] == [["0.0.0.0/0"], some, ["0.0.0.0/0"]]
    assert len({identifier for identifier, _ in found}) == 1


def test_the_service_moves_to_another_port_and_back(account: Account, generated: Callable[..., Path]) -> None:
    """Its tasks get a writable /tmp, and lose it."""
    ports, disks = [], []
    for digit, answers in enumerate(({}, HEALTH, {**HEALTH, "port": 4000, "scratch_gib": 20}, {}), 1):
        account._folder = generated(**ANSWERS, **({"customize": True, **answers} if answers else {})) / "infrastructure"
        account.release("live", str(digit))
        service = account.service("live")
        (balancer,) = service["loadBalancers"]
        opened = open_ports(account, "tasks", "IpPermissions")
        assert opened == open_ports(account, "load-balancer", "IpPermissionsEgress")
        ports.append((balancer["containerPort"], opened))
        ecs, given = account.client("ecs"), service["taskDefinition"]
        task = ecs.describe_task_definition(taskDefinition=given)["taskDefinition"]
        (container,) = task["containerDefinitions"]
        assert container["readonlyRootFilesystem"] is True
        mounts = [one["containerPath"] for one in container.get("mountPoints", [])]
        size = re.search(r"SizeInGiB: (\d+)", (account._folder / "live/task-definition.yaml").read_text())
        disks.append((size and size[1], len(task["volumes"]), mounts))
        dockerfile = (account._folder.parent / "app/Dockerfile").read_text()
        assert ("\nVOLUME /tmp\n" in dockerfile) == bool(mounts)
        groups = account.client("elbv2").describe_target_groups()["TargetGroups"]
        assert {group["HealthCheckPath"] for group in groups} == {answers.get("health_path", "/health")}
    assert ports == [(8080, {8080}), (3000, {8080, 3000}), (4000, {8080, 4000}), (8080, {8080})]
    assert disks == [(None, 0, []), ("50", 1, ["/tmp"]), (None, 1, ["/tmp"]), (None, 0, [])]


def test_access_logs_and_flow_logs_are_turned_on_and_off(account: Account, generated: Callable[..., Path]) -> None:
    """The bucket comes before what writes to it, cannot go before, and stays with its files."""
    ec2, elbv2, logs = account.client("ec2"), account.client("elbv2"), f"{account.app}-access-logs"
    found = []
    for answers in ({}, {"customize": True, "access_logs": True, "flow_logs": True}, {}):
        account._folder = generated(**ANSWERS, **answers) / "infrastructure"
        if answers:
            bucket = account.apply("access-logs", "access-logs.yaml", "access-logs.json")["BucketName"]
        account.apply("live-deploy-role", "deploy-role.yaml", "live/deploy-role.json")
        account.apply("live-network", "network.yaml", "live/network.json")
        outputs = account.apply("live-environment", "environment.yaml", "live/environment.json")
        if answers:
            account.cloudformation.delete_stack(StackName=logs)
            settled = account._settled(lambda: account.cloudformation.describe_stacks(StackName=logs)["Stacks"][0])
            assert settled["StackStatus"] == "CREATE_COMPLETE"
        (balancer,) = elbv2.describe_load_balancers(Names=[outputs["LoadBalancerFullName"].split("/")[1]])[
            "LoadBalancers"
        ]
        given = elbv2.describe_load_balancer_attributes(LoadBalancerArn=balancer["LoadBalancerArn"])["Attributes"]
        attributes = {one["Key"]: one["Value"] for one in given}
        flows = [one["LogDestination"] for one in ec2.describe_flow_logs()["FlowLogs"]]
        found.append((balancer["LoadBalancerArn"], attributes["access_logs.s3.enabled"], flows))
    arns, enabled, destinations = zip(*found, strict=True)
    assert len(set(arns)) == 1
    assert enabled == ("false", "true", "false")
    assert destinations == ([], [f"arn:aws:s3:::{bucket}/live/"], [])
    account.client("s3").put_object(Bucket=bucket, Key="live/AWSLogs/file.log.gz", Body=b"")
    account.cloudformation.delete_stack(StackName=logs)
    account.cloudformation.get_waiter("stack_delete_complete").wait(StackName=logs, WaiterConfig={"Delay": 1})
    assert account.client("s3").list_objects_v2(Bucket=bucket)["KeyCount"] == 1


def test_a_web_acl_comes_and_goes_while_the_service_runs(account: Account, generated: Callable[..., Path]) -> None:
    """Requests pass without it, and nothing of it is left without the answer."""
    waf, name = account.client("wafv2"), f"{account.app}-live"
    limits = []
    for answers in ({}, {"waf": "managed"}, {"waf": "managed", "waf_rate_limit": 100}, {}):
        on = {"customize": True, **answers} if answers else {}
        account._folder = generated(**ANSWERS, **on) / "infrastructure"
        account.apply("live-deploy-role", "deploy-role.yaml", "live/deploy-role.json")
        account.apply("live-network", "network.yaml", "live/network.json")
        outputs = account.apply("live-environment", "environment.yaml", "live/environment.json")
        if answers:
            account.apply("live-waf", "waf.yaml", "live/waf.json")
            balancer = (
                f"arn:aws:elasticloadbalancing:us-east-1:000000000000:loadbalancer/{outputs['LoadBalancerFullName']}"
            )
            acl = waf.get_web_acl_for_resource(ResourceArn=balancer)["WebACL"]
            assert acl["Name"] == name
            limits.append(int(acl["Rules"][0]["Statement"]["RateBasedStatement"]["Limit"]))
    account.cloudformation.delete_stack(StackName=f"{account.app}-live-waf")
    account.cloudformation.get_waiter("stack_delete_complete").wait(
        StackName=f"{account.app}-live-waf", WaiterConfig={"Delay": 1}
    )
    assert limits == [2000, 100]
    assert waf.list_web_acls(Scope="REGIONAL")["WebACLs"] == []
    groups = account.client("logs").describe_log_groups(logGroupNamePrefix="aws-waf-logs-")["logGroups"]
    assert groups == []
