"""VPCs of the account with their subnets and routes, as far as a service can be placed in them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
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
    pages = session.client("ec2").get_paginator("describe_route_tables")
    found = pages.paginate(Filters=[{"Name": "vpc-id", "Values": [vpc]}])
    tables = [table for page in found for table in page["RouteTables"]]
    associations = [(one, table) for table in tables for one in table.get("Associations", [])]
    main: dict[str, Any] = next((table for one, table in associations if one.get("Main")), {})
    own = {one["SubnetId"]: table for one, table in associations if one.get("SubnetId")}
    return [subnet for subnet in ids if not _leads_to_the_internet(own.get(subnet, main))]


def _leads_to_the_internet(table: dict[str, Any]) -> bool:
    return any(
        route.get("DestinationCidrBlock") == "0.0.0.0/0" and str(route.get("GatewayId", "")).startswith("igw-")
        for route in table.get("Routes", [])
    )


def _vpc(described: dict[str, Any]) -> Vpc:
    associated = described.get("CidrBlockAssociationSet") or [described]
    blocks = {IPv4Network(one["CidrBlock"]) for one in associated}
    return Vpc(
        described["VpcId"], tuple(sorted(blocks)), {tag["Key"]: tag["Value"] for tag in described.get("Tags", [])}
    )
