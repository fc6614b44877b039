"""Builds of images in a VPC: which ones, what lets them out, and what their roles may do there."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.infrastructure.iam import allowed, boundary_of, statements_of
from tests.infrastructure.regions import longest_regions, moved, size
from tests.infrastructure.rules import every
from tests.infrastructure.stacks import ACCOUNT, REGION, Stacks, one
from tests.infrastructure.variants import (
    ALL_ANSWERS,
    BUILD_VPC,
    EXISTING_VPC,
    INGRESS,
    INTERNAL,
    LONGEST_APP,
    PRIVATE_SUBNETS,
)

SUBNETS = PRIVATE_SUBNETS.replace(" ", "").split(",")
EC2 = f"arn:aws:ec2:{REGION}:{ACCOUNT}"
ROLES = {"build": "BuildRole", "pull-requests": "TestsRole", "tests": "TestsRole"}


def in_vpc(**more: Any) -> dict[str, Any]:
    return {"customize": True, **BUILD_VPC, **more}


def test_images_are_built_in_the_vpc_and_nothing_else_is(stacks_of: Callable[..., Stacks]) -> None:
    stacks = stacks_of(**{**ALL_ANSWERS, "ingress_cidrs": "0.0.0.0/0"})
    groups = one(stacks, "build-vpc").outputs
    found = {
        project["Name"]: project["VpcConfig"]
        for _, _, project in every(stacks, "AWS::CodeBuild::Project")
        if "VpcConfig" in project
    }
    assert found == {
        f"payments-{name}": {"VpcId": EXISTING_VPC, "Subnets": SUBNETS, "SecurityGroupIds": [groups[group]]}
        for name, group in (("build", "BuildSecurityGroup"), ("pr-tests", "TestsSecurityGroup"))
    }


def test_the_tests_of_an_environment_are_in_the_vpc_where_not_everybody_reaches_it(
    stacks_of: Callable[..., Stacks],
) -> None:
    stacks = stacks_of(**ALL_ANSWERS)
    (group,) = {one(stacks, "build-vpc").outputs["TestsSecurityGroup"]}
    found = {
        project["Name"]: project["VpcConfig"]["SecurityGroupIds"]
        for _, _, project in every(stacks, "AWS::CodeBuild::Project")
        if "VpcConfig" in project
    }
    assert set(found) == {f"payments-{name}" for name in ("build", "pr-tests", "tests", "load-test")}
    assert found["payments-tests"] == found["payments-load-test"] == [group]
    (let_in,) = {
        tuple((rule["CidrIp"], rule["FromPort"]) for rule in properties["SecurityGroupIngress"])
        for _, name, properties in every(stacks, "AWS::EC2::SecurityGroup")
        if name == "LoadBalancerSecurityGroup"
    }
    assert let_in == (("198.51.100.0/24", 80), ("203.0.113.7/32", 80))


def test_an_internal_load_balancer_is_reached_by_the_tests(stacks_of: Callable[..., Stacks]) -> None:
    stacks = stacks_of(environments="live", customize=True, **INTERNAL)
    ((_, _, balancer),) = every(stacks, "AWS::ElasticLoadBalancingV2::LoadBalancer")
    assert (balancer["Scheme"], balancer["Subnets"]) == ("internal", SUBNETS)
    tests = dict(one(stacks, "tests").of_type("AWS::CodeBuild::Project"))["TestsProject"]
    assert tests["VpcConfig"]["VpcId"] == EXISTING_VPC


def test_nothing_is_left_of_it_without_the_answer(generated: Callable[..., Path]) -> None:
    files = [path for path in generated().rglob("*") if path.is_file() and "node_modules" not in path.parts]
    assert not [path for path in files if "build-vpc" in path.name]
    words = ("VpcConfig", "NetworkInterface", "build_network", "build-vpc")
    kept = {"preflight.py"}  # Looks for the file.
    assert not [path for path in files if path.name not in kept and any(word in path.read_text() for word in words)]


def test_only_web_traffic_leaves_a_build_and_none_comes_in(stacks_of: Callable[..., Stacks]) -> None:
    groups = dict(one(stacks_of(**in_vpc()), "build-vpc").of_type("AWS::EC2::SecurityGroup"))
    assert set(groups) == {"BuildSecurityGroup", "TestsSecurityGroup"}
    for group in groups.values():
        assert "SecurityGroupIngress" not in group
        ports = [(rule["IpProtocol"], rule["FromPort"], rule["ToPort"]) for rule in group["SecurityGroupEgress"]]
        assert ports == [("tcp", 443, 443), ("tcp", 80, 80)]


@pytest.mark.parametrize("kind", ROLES)
def test_a_build_has_interfaces_in_its_subnets_only(stacks_of: Callable[..., Stacks], kind: str) -> None:
    stacks = stacks_of(**in_vpc(ingress_cidrs=INGRESS))
    role, limit = statements_of(one(stacks, kind), ROLES[kind]), boundary_of(one(stacks, "permissions"))

    def may(action: str, resource: str, context: dict[str, str]) -> bool:
        return all(allowed(statements, f"ec2:{action}", resource, context) for statements in (role, limit))

    vpc = {"ec2:Vpc": f"{EC2}:vpc/{EXISTING_VPC}"}
    # The owner of a shared subnet is another account.
    own, shared, other = f"{EC2}:subnet/{SUBNETS[0]}", f"arn:aws:ec2:{REGION}:2:subnet/{SUBNETS[1]}", f"{EC2}:subnet/o"
    service = {"ec2:AuthorizedService": "codebuild.amazonaws.com"}
    for subnet in (own, shared):
        assert may("CreateNetworkInterface", subnet, vpc)
        assert may("CreateNetworkInterfacePermission", f"{EC2}:network-interface/a", service | {"ec2:Subnet": subnet})
        assert may("DeleteNetworkInterface", f"{EC2}:network-interface/a", vpc | {"ec2:Subnet": subnet})
    for resource in (f"{EC2}:network-interface/a", f"{EC2}:security-group/sg-0123456789abcdef0"):
        assert may("CreateNetworkInterface", resource, vpc)
    assert may("DescribeSubnets", "*", {})

    assert not may("CreateNetworkInterface", other, vpc)
    assert not may("CreateNetworkInterface", f"{EC2}:security-group/sg-1", vpc)
    assert not may("DeleteNetworkInterface", f"{EC2}:network-interface/a", vpc | {"ec2:Subnet": other})
    permission, interface = "CreateNetworkInterfacePermission", f"{EC2}:network-interface/a"
    assert not may(permission, interface, service | {"ec2:Subnet": other})
    assert not may(permission, interface, {"ec2:Subnet": own, "ec2:AuthorizedUser": "arn:aws:iam::2:root"})
    assert not may("DescribeInstanceAttribute", "*", {})
    # Whatever a template that passed the merge gate may give to the role.
    elsewhere = {"ec2:Vpc": f"{EC2}:vpc/vpc-0"}
    for action in ("CreateNetworkInterface", "DeleteNetworkInterface"):
        assert not allowed(limit, f"ec2:{action}", f"{EC2}:network-interface/a", elsewhere)


def test_other_roles_have_no_interfaces(stacks_of: Callable[..., Stacks]) -> None:
    stacks = stacks_of(**ALL_ANSWERS)
    found = {
        f"{stack.kind} {role}"
        for stack, role, _ in every(stacks, "AWS::IAM::Role")
        if allowed(statements_of(stack, role), "ec2:DescribeVpcs")
    }
    deployers = {one_ for one_ in found if "DeployRole" in one_ or one_ == "data-role DataRole"}
    assert found - deployers == {f"{kind} {role}" for kind, role in ROLES.items()}


@pytest.mark.parametrize(("promotion", "room"), [("pipeline", 2_000), ("branches", 1_800)])
def test_owners_keep_their_room(stacks_of: Callable[..., Stacks], promotion: str, room: int) -> None:
    stacks = stacks_of(**in_vpc(app_name=LONGEST_APP, promotion=promotion))
    subnets = ",".join(f"subnet-{number:017x}" for number in range(16))
    most = stacks_of(**in_vpc(app_name=LONGEST_APP, build_subnet_ids=subnets))
    for found, kind, free in ((stacks, "permissions", room), (most, "build-vpc", 0)):
        for _, policy in one(found, kind).of_type("AWS::IAM::ManagedPolicy"):
            for partition, region in longest_regions():
                assert 6_144 - size(moved(policy["PolicyDocument"], partition, region)) >= free
