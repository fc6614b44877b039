"""`scaffold deploy` looks at the networks of new environments before it changes anything."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from scaffold.deployment.networks import NetworkWarning
from scaffold.service import names
from scaffold.service.service import read
from tests.deploy.services import Wire, client, commit, environment_stack, make_service, release_stack, remove, run
from tests.deploy.test_refusals import refusal

NOWHERE = "vpc-00000000000000000"
STACK = """\
Parameters:
  VpcId: {Type: String, Default: ''}
  PublicSubnetIds: {Type: String, Default: ''}
  SubnetIds: {Type: String, Default: ''}
  VpcCidr: {Type: String, Default: ''}
Resources:
  Topic: {Type: AWS::SNS::Topic}
"""


@dataclass(frozen=True)
class Place:
    """An existing VPC with subnets: two public ones and two private ones in two zones, and one in a third zone."""

    vpc: str
    block: str
    public: tuple[str, str]
    private: tuple[str, str]
    third: str


@pytest.fixture
def place(aws: None) -> Place:
    """A VPC whose main route table leads to an internet gateway."""
    ec2, second = client("ec2"), random.randrange(256)
    block = f"100.{64 + second % 64}.0.0/16"
    vpc = ec2.create_vpc(CidrBlock=block)["Vpc"]["VpcId"]
    gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    (main,) = ec2.describe_route_tables(Filters=[{"Name": "vpc-id", "Values": [vpc]}])["RouteTables"]
    ec2.create_route(RouteTableId=main["RouteTableId"], DestinationCidrBlock="0.0.0.0/0", GatewayId=gateway)

    def subnet(number: int, zone: str) -> str:
        made = ec2.create_subnet(
            VpcId=vpc, CidrBlock=f"{block[: -len('.0.0/16')]}.{number}.0/24", AvailabilityZone=f"us-east-1{zone}"
        )
        return str(made["Subnet"]["SubnetId"])

    ids = [subnet(number, zone) for number, zone in enumerate("ababc")]
    return Place(vpc, block, (ids[0], ids[1]), (ids[2], ids[3]), ids[4])


def put(
    service: Path,
    environment: str,
    vpc: str = "",
    public: Sequence[str] = (),
    tasks: Sequence[str] = (),
    *,
    most: object = 10,
    block: str = "",
) -> None:
    """Commit the files that place an environment in a VPC: an existing one, or with `block` one of its own."""
    app = read(service).app_name
    files: dict[str, dict[str, Any]] = {
        "environment": {"VpcId": vpc, "PublicSubnetIds": ",".join(public)},
        "service": {"SubnetIds": ",".join(tasks), "MaxTasks": str(most)},
        "network": {"VpcCidr": block} if block else {},
    }
    for kind, parameters in files.items():
        path = service / "infrastructure" / environment / f"{kind}.json"
        path.unlink(missing_ok=True)
        if parameters:
            path.write_text(json.dumps({"Parameters": parameters, "Tags": {names.TAG_SERVICE: app}}))
    commit(service)


def create(service: Path, environment: str, kind: str) -> None:
    """Release a stack of an environment with the parameters of its file, as the pipeline would."""
    app = read(service).app_name
    given = json.loads((service / "infrastructure" / environment / f"{kind}.json").read_text())["Parameters"]
    name = environment_stack(app, environment, kind)
    parameters = {key: value for key, value in given.items() if key != "MaxTasks"}
    release_stack(name, STACK, parameters, Tags=[{"Key": names.TAG_SERVICE, "Value": app}])


def looked_up(wire: Wire) -> set[str]:
    return {call for call in wire.calls if call.startswith("ec2:")}


def untouched(service: Path, wire: Wire) -> bool:
    """Whether nothing of a refused service was created."""
    writes = [call for call in wire.calls if not call.split(":")[1].startswith(("Get", "List", "Describe", "Head"))]
    return writes == []


def test_an_environment_in_an_existing_vpc_is_deployed(service: Path, wire: Wire, place: Place) -> None:
    put(service, "dev", place.vpc, place.public, place.private)
    put(service, "prod", place.vpc, place.public, place.public)
    assert run(service, plan=True).networks == run(service).networks == ()
    assert looked_up(wire) == {"ec2:DescribeVpcs", "ec2:DescribeSubnets", "ec2:DescribeRouteTables"}


def test_nothing_is_looked_up_once_the_environments_exist(service: Path, wire: Wire, place: Place) -> None:
    put(service, "dev", place.vpc, place.public, place.private)
    put(service, "prod", block=place.block)
    run(service)
    for environment, kind in (("dev", "environment"), ("dev", "service"), ("prod", "network")):
        create(service, environment, kind)
    wire.calls.clear()
    assert run(service, plan=True).networks == ()
    assert looked_up(wire) == set()


@pytest.mark.parametrize(
    ("fault", "happened", "question"),
    [
        ("no vpc", f"The VPC {NOWHERE} of dev does not exist in account 000000000000, us-east-1.", "vpc_id"),
        ("no subnet", "The subnet subnet-00000000 of dev does not exist in us-east-1.", "public_subnet_ids"),
        ("other vpc", "of dev belongs to", "private_subnet_ids"),
        ("one zone", "are both in us-east-1a, and a load balancer takes one subnet", "public_subnet_ids"),
        ("unserved zone", "is in us-east-1c, where the load balancer has no subnet", "private_subnet_ids"),
        ("tasks in one zone", "The private subnets of dev are all in us-east-1a", "private_subnet_ids"),
    ],
)
def test_a_network_that_does_not_fit_is_refused(
    service: Path, wire: Wire, place: Place, fault: str, happened: str, question: str
) -> None:
    other = client("ec2").describe_subnets(Filters=[{"Name": "default-for-az", "Values": ["true"]}])["Subnets"][0]
    vpc, public, tasks = {
        "no vpc": (NOWHERE, place.public, place.private),
        "no subnet": (place.vpc, (place.public[0], "subnet-00000000"), place.private),
        "other vpc": (place.vpc, place.public, (place.private[0], other["SubnetId"])),
        "one zone": (place.vpc, (place.public[0], place.private[0]), place.private),
        "unserved zone": (place.vpc, place.public, (place.private[0], place.third)),
        "tasks in one zone": (place.vpc, place.public, (place.private[0], place.public[0])),
    }[fault]
    put(service, "dev", vpc, public, tasks)
    wire.calls.clear()
    error = refusal(service, plan=True)
    assert happened in error.happened
    assert f"Answer {question} again (" in error.remedy
    assert untouched(service, wire)


def test_environments_that_share_subnets_need_addresses_for_all_of_their_tasks(
    service: Path, wire: Wire, place: Place
) -> None:
    """Each subnet has 251 free addresses, and the load balancers take eight each."""
    put(service, "dev", place.vpc, place.public, place.public, most=100)
    put(service, "prod", place.vpc, place.public, place.public, most=135)
    assert run(service, plan=True).networks == ()
    put(service, "prod", place.vpc, place.public, place.public, most=136)
    wire.calls.clear()
    error = refusal(service)
    assert f"The subnet {place.public[0]} has 251 free addresses, and prod needs 252" in error.happened
    assert untouched(service, wire)
    # Tasks in other subnets than the load balancer's.
    put(service, "prod", place.vpc, place.public, place.private, most=136)
    assert run(service, plan=True).networks == ()


def test_only_new_subnets_of_a_load_balancer_need_addresses(service: Path, place: Place) -> None:
    put(service, "dev", place.vpc, place.public, place.public, most=251)
    create(service, "dev", "environment")
    assert run(service, plan=True).networks == ()
    put(service, "dev", place.vpc, (*place.public, place.third), place.public, most=251)
    assert run(service, plan=True).networks == ()
    put(service, "dev", place.vpc, (*place.public, place.third), (*place.public, place.third), most=366)
    assert f"The subnet {place.third} has 251 free addresses, and dev needs 252" in refusal(service, plan=True).happened


@pytest.mark.slow
def test_the_load_balancer_leaves_no_zone_in_which_tasks_run(service: Path, wire: Wire, place: Place) -> None:
    """Its stack is updated before the service's, in production before the approval."""
    put(service, "dev", place.vpc, place.public, place.private)
    run(service)
    for kind in ("environment", "service"):
        create(service, "dev", kind)
    moved = (place.public[0], place.third)
    put(service, "dev", place.vpc, moved, moved)
    wire.calls.clear()
    error = refusal(service)
    assert "The tasks of dev run in us-east-1b until its next release has ended" in error.happened
    assert "for one release" in error.remedy
    assert untouched(service, wire)
    put(service, "dev", place.vpc, (*place.public, place.third), moved)
    assert run(service, plan=True).networks == ()


@pytest.mark.parametrize("own", ["before", "after", "neither"])
def test_an_environment_cannot_move_to_another_vpc(service: Path, wire: Wire, place: Place, own: str) -> None:
    def into(is_own: bool, vpc: str) -> None:
        put(service, "dev", **({"block": "10.1.0.0/20"} if is_own else {"vpc": vpc, "public": place.public}))

    into(own == "before", place.vpc)
    create(service, "dev", "environment")
    into(own == "after", NOWHERE)
    wire.calls.clear()
    error = refusal(service)
    before, after = ("a VPC of its own" if own == one else "vpc-" for one in ("before", "after"))
    assert f"dev runs in {before}" in error.happened
    assert f"cannot move to {after}" in error.happened
    assert "`scaffold destroy --environment dev`" in error.remedy
    assert untouched(service, wire)


def test_the_addresses_of_a_network_that_exists_stay(service: Path, wire: Wire) -> None:
    put(service, "dev", block="10.1.0.0/20")
    create(service, "dev", "network")
    put(service, "dev", block="10.2.0.0/20")
    wire.calls.clear()
    error = refusal(service)
    assert "dev runs in the network 10.1.0.0/20 and cannot move to the network 10.2.0.0/20" in error.happened
    assert "change vpc_cidr back" in error.remedy
    assert untouched(service, wire)


@pytest.mark.slow
def test_an_environment_moves_by_its_deletion(service: Path, place: Place) -> None:
    put(service, "dev", block="10.1.0.0/20")
    run(service)
    create(service, "dev", "network")
    create(service, "dev", "environment")
    put(service, "dev", place.vpc, place.public, place.private)
    assert "cannot move" in refusal(service).happened
    remove(service, environment="dev")
    run(service)
    create(service, "dev", "environment")
    remove(service, environment="dev")
    # What existed before is left.
    ec2 = client("ec2")
    assert ec2.describe_vpcs(VpcIds=[place.vpc])["Vpcs"]
    left = ec2.describe_subnets(Filters=[{"Name": "vpc-id", "Values": [place.vpc]}])["Subnets"]
    assert {one["SubnetId"] for one in left} == {*place.public, *place.private, place.third}


def test_public_subnets_without_an_internet_gateway_are_warned_of(service: Path, place: Place) -> None:
    ec2 = client("ec2")
    table = ec2.create_route_table(VpcId=place.vpc)["RouteTable"]["RouteTableId"]
    ec2.associate_route_table(RouteTableId=table, SubnetId=place.public[1])
    put(service, "dev", place.vpc, place.public, place.private)
    (warning,) = run(service, plan=True).networks
    assert warning == NetworkWarning("dev", "no-internet-gateway", place.public[1])
    assert place.public[1] in warning.sentence


def test_an_internal_load_balancer_needs_no_internet_gateway(service: Path, place: Place) -> None:
    ec2 = client("ec2")
    table = ec2.create_route_table(VpcId=place.vpc)["RouteTable"]["RouteTableId"]
    for subnet in place.private:
        ec2.associate_route_table(RouteTableId=table, SubnetId=subnet)
    put(service, "dev", place.vpc, place.private, place.private)
    assert {one.problem for one in run(service, plan=True).networks} == {"no-internet-gateway"}
    template = service / "infrastructure/environment.yaml"
    text = template.read_text() if template.exists() else "Resources:\n"
    template.write_text(
        f"{text}  LoadBalancer:\n    Type: AWS::ElasticLoadBalancingV2::LoadBalancer\n    Scheme: internal\n"
    )
    commit(service)
    assert run(service, plan=True).networks == ()


@pytest.mark.parametrize("block", ["same", "inside", "around", "beside"])
def test_an_overlap_with_a_vpc_that_exists_is_warned_of(service: Path, place: Place, block: str) -> None:
    own = {
        "same": place.block,
        "inside": place.block.replace(".0.0/16", ".240.0/20"),
        "around": "100.64.0.0/10",
        "beside": f"10.{random.randrange(1, 256)}.16.0/20",
    }[block]
    put(service, "prod", block=own)
    warned = {one.resource: one for one in run(service, plan=True).networks}
    assert (place.vpc in warned) is (block != "beside")
    if block != "beside":
        assert warned[place.vpc].blocks == (own, place.block)
        assert f"The VPC of prod ({own}) will overlap {place.vpc} ({place.block})" in warned[place.vpc].sentence


def test_the_permission_to_look_for_overlaps_is_optional(service: Path, wire: Wire, place: Place) -> None:
    put(service, "prod", block=place.block)
    denied = (
        "You are not authorized. User: arn:aws:iam::000000000000:user/a is not authorized to perform: ec2:DescribeVpcs"
    )
    wire.refuse("DescribeVpcs", "UnauthorizedOperation", denied)
    assert run(service, plan=True).networks == ()
    # An existing VPC has to be seen.
    put(service, "prod", place.vpc, place.public, place.private)
    assert "ec2:DescribeVpcs" in refusal(service, plan=True).happened


@pytest.mark.parametrize(
    ("kind", "parameters"),
    [("network", {"VpcCidr": "10.0.0.1/8"}), ("network", {"VpcCidr": ""}), ("service", {"MaxTasks": "many"})],
)
def test_files_that_cloudformation_refuses_are_left_to_it(
    service: Path, place: Place, kind: str, parameters: dict[str, str]
) -> None:
    put(service, "dev", place.vpc if kind == "service" else "", place.public, place.private)
    path = service / "infrastructure" / "dev" / f"{kind}.json"
    before = json.loads(path.read_text())["Parameters"] if path.is_file() else {}
    path.write_text(json.dumps({"Parameters": before | parameters}))
    commit(service)
    assert run(service, plan=True).networks == ()


def test_services_of_kits_without_these_files_are_deployed(tmp_path: Path, wire: Wire) -> None:
    run(make_service(tmp_path / "older"))
    assert looked_up(wire) == set()
