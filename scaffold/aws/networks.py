"""VPCs of the account with their subnets and routes, as far as a service can be placed in them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from ipaddress import IPv4Network
from typing import Any

from scaffold.aws.session import Session


@dataclass(frozen=True)
class Vpc:
    """A VPC.

    Attributes:
        blocks: Its IPv4 CIDR blocks.
    """

    id: str
    blocks: tuple[IPv4Network, ...]
    tags: dict[str, str]


class DefaultRoute(Enum):
    """Where a subnet sends what is for no other route."""

    NONE = "none"
    INTERNET_GATEWAY = "internet gateway"
    OTHER = "other"  # A NAT gateway, a transit gateway, a firewall's endpoint, …


@dataclass(frozen=True)
class Subnet:
    """A subnet.

    Attributes:
        zone: Its Availability Zone.
        free: How many of its addresses are not in use.
    """

    id: str
    vpc: str
    zone: str
    free: int


def vpcs(session: Session, *, attempts: int = 4) -> dict[str, Vpc]:
    """Every VPC of the region, by its id."""
    pages = session.client("ec2", attempts=attempts).get_paginator("describe_vpcs").paginate()
    return {one["VpcId"]: _vpc(one) for page in pages for one in page["Vpcs"]}


def subnets(session: Session, ids: Iterable[str]) -> dict[str, Subnet]:
    """The subnets that exist among these, by their ids."""
    wanted = [{"Name": "subnet-id", "Values": sorted(set(ids))}]
    pages = session.client("ec2").get_paginator("describe_subnets").paginate(Filters=wanted)
    found = (one for page in pages for one in page["Subnets"])
    return {
        one["SubnetId"]: Subnet(one["SubnetId"], one["VpcId"], one["AvailabilityZone"], one["AvailableIpAddressCount"])
        for one in found
    }


def without_internet_gateway(session: Session, vpc: str, ids: Iterable[str]) -> list[str]:
    """Those of a VPC's subnets that have no default route to an internet gateway."""
    return [
        one for one, route in default_routes(session, vpc, ids).items() if route is not DefaultRoute.INTERNET_GATEWAY
    ]


def default_routes(session: Session, vpc: str, ids: Iterable[str]) -> dict[str, DefaultRoute]:
    """The IPv4 default route of each of a VPC's subnets, by its id."""
    pages = session.client("ec2").get_paginator("describe_route_tables")
    found = pages.paginate(Filters=[{"Name": "vpc-id", "Values": [vpc]}])
    tables = [table for page in found for table in page["RouteTables"]]
    associations = [(one, table) for table in tables for one in table.get("Associations", [])]
    main: dict[str, Any] = next((table for one, table in associations if one.get("Main")), {})
    own = {one["SubnetId"]: table for one, table in associations if one.get("SubnetId")}
    return {subnet: _default_route(own.get(subnet, main)) for subnet in ids}


def _default_route(table: dict[str, Any]) -> DefaultRoute:
    for route in table.get("Routes", []):
        if route.get("DestinationCidrBlock") == "0.0.0.0/0" and route.get("State") != "blackhole":
            leads_out = str(route.get("GatewayId", "")).startswith("igw-")
            return DefaultRoute.INTERNET_GATEWAY if leads_out else DefaultRoute.OTHER
    return DefaultRoute.NONE


def _vpc(described: dict[str, Any]) -> Vpc:
    associated = described.get("CidrBlockAssociationSet") or [described]
    blocks = {IPv4Network(one["CidrBlock"]) for one in associated}
    return Vpc(
        described["VpcId"], tuple(sorted(blocks)), {tag["Key"]: tag["Value"] for tag in described.get("Tags", [])}
    )
