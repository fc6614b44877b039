"""How requests reach the tasks: options that change while the service runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from scaffold.local.environment import local_aws
from tests.infrastructure.test_local_aws import Account
from tests.infrastructure.variants import BUILD_VPC, INGRESS

ANSWERS = {"app_name": "reached", "environments": "live"}
HEALTH = {"port": 3000, "health_path": "/internal/healthz", "health_grace_seconds": 150}


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
    ports = []
    for digit, answers in enumerate(({}, HEALTH, {**HEALTH, "port": 4000}, {}), 1):
        account._folder = generated(**ANSWERS, **({"customize": True, **answers} if answers else {})) / "infrastructure"
        account.release("live", str(digit))
        service = account.service("live")
        (balancer,) = service["loadBalancers"]
        opened = open_ports(account, "tasks", "IpPermissions")
        assert opened == open_ports(account, "load-balancer", "IpPermissionsEgress")
        ports.append((balancer["containerPort"], opened))
        groups = account.client("elbv2").describe_target_groups()["TargetGroups"]
        assert {group["HealthCheckPath"] for group in groups} == {answers.get("health_path", "/health")}
    assert ports == [(8080, {8080}), (3000, {8080, 3000}), (4000, {8080, 4000}), (8080, {8080})]
