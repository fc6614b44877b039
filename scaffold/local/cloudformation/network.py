"""The resource types of the network that ministack lacks: addresses, NAT gateways, single rules of security groups."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import replace
from typing import ClassVar

from scaffold.local.cloudformation.resource_types import (
    Created,
    Request,
    ResourceType,
    call_ministack,
    handler_failure,
    tag_map,
)
from scaffold.local.protocol import Document


class _Ec2Resource(ResourceType):
    """A type whose resources ministack's EC2 API can already create, and of which only the tags can change."""

    def update(self, request: Request) -> Created:
        """Update the tags."""
        before, after = tag_map(request.old.get("Tags")), tag_map(request.properties.get("Tags"))
        removed = [key for key in before if key not in after]
        if removed:
            tags = _members("Tag", [{"Key": key} for key in removed])
            call_ministack("ec2", "DeleteTags", {"ResourceId.1": request.identifier, **tags})
        if after:
            tags = _members("Tag", [{"Key": key, "Value": value} for key, value in after.items()])
            call_ministack("ec2", "CreateTags", {"ResourceId.1": request.identifier, **tags})
        return request.identifier, self.attributes(request.identifier)

    @abstractmethod
    def attributes(self, identifier: str) -> Document:
        """The attributes of a resource, for `Fn::GetAtt`."""


class ElasticIp(_Ec2Resource):
    """AWS::EC2::EIP."""

    name = "AWS::EC2::EIP"
    create_only = ("Domain", "NetworkBorderGroup", "TransferAddress", "Address", "IpamPoolId")
    tags = ("Tags", "list")

    def create(self, request: Request) -> Created:
        """Allocate an address. Its physical id is the address; the allocation id is an attribute."""
        tags = _tag_specification("elastic-ip", request.properties)
        made = call_ministack("ec2", "AllocateAddress", {"Domain": "vpc", **tags})
        return made["publicIp"], {"AllocationId": made["allocationId"], "PublicIp": made["publicIp"]}

    def update(self, request: Request) -> Created:
        """Update the tags. EC2's API identifies the address by its allocation id."""
        attributes = self.attributes(request.identifier)
        super().update(replace(request, identifier=str(attributes["AllocationId"])))
        return request.identifier, attributes

    def delete(self, request: Request) -> None:
        """Release an address."""
        allocation = self.attributes(request.identifier).get("AllocationId")
        if allocation:
            call_ministack("ec2", "ReleaseAddress", {"AllocationId": allocation})

    def attributes(self, identifier: str) -> Document:
        """The attributes of an address, found by the address or its allocation id; empty if it does not exist."""
        for item in call_ministack("ec2", "DescribeAddresses", {}).get("addressesSet", []):
            if identifier in (item["publicIp"], item["allocationId"]):
                return {"AllocationId": item["allocationId"], "PublicIp": item["publicIp"]}
        return {}


class NatGateway(_Ec2Resource):
    """AWS::EC2::NatGateway."""

    name = "AWS::EC2::NatGateway"
    create_only = ("AllocationId", "ConnectivityType", "PrivateIpAddress", "SubnetId", "VpcId")
    tags = ("Tags", "list")

    def create(self, request: Request) -> Created:
        """Create a gateway in an existing subnet, with an existing address."""
        public = request.properties.get("ConnectivityType", "public") == "public"
        if public and "AllocationId" not in request.properties:
            raise ValueError("A public NAT gateway needs an AllocationId")
        addresses = call_ministack("ec2", "DescribeAddresses", {}).get("addressesSet", [])
        known = [address["allocationId"] for address in addresses]
        if public and request.properties["AllocationId"] not in known:
            raise ValueError(f"Elastic IP address [{request.properties['AllocationId']}] could not be found")
        call_ministack("ec2", "DescribeSubnets", {"SubnetId.1": request.properties["SubnetId"]})
        passed = ("SubnetId", "AllocationId", "ConnectivityType")
        given = {key: value for key, value in request.properties.items() if key in passed}
        made = call_ministack("ec2", "CreateNatGateway", given | _tag_specification("natgateway", request.properties))
        identifier = made["natGateway"]["natGatewayId"]
        return identifier, self.attributes(identifier)

    def delete(self, request: Request) -> None:
        """Delete a gateway."""
        call_ministack("ec2", "DeleteNatGateway", {"NatGatewayId": request.identifier})

    def attributes(self, identifier: str) -> Document:
        """A gateway's only attribute, its id."""
        return {"NatGatewayId": identifier}


class FlowLog(_Ec2Resource):
    """AWS::EC2::FlowLog. Nothing is logged."""

    name = "AWS::EC2::FlowLog"
    create_only = (
        *("DeliverCrossAccountRole", "DeliverLogsPermissionArn", "DestinationOptions", "LogDestination"),
        *("LogDestinationType", "LogFormat", "LogGroupName", "MaxAggregationInterval"),
        *("ResourceId", "ResourceType", "TrafficType"),
    )
    tags = ("Tags", "list")

    def create(self, request: Request) -> Created:
        """Create a flow log of a VPC that exists."""
        given = request.properties
        call_ministack("ec2", "DescribeVpcs", {"VpcId.1": given["ResourceId"]})
        passed = ("ResourceType", "TrafficType", "LogDestinationType", "LogDestination", "MaxAggregationInterval")
        settings = {key: str(given[key]) for key in passed if key in given}
        # ministack's name for what EC2 calls vpc-flow-log.
        tags = _tag_specification("flow-log", given)
        made = call_ministack("ec2", "CreateFlowLogs", {"ResourceId.1": given["ResourceId"], **settings, **tags})
        (identifier,) = made["flowLogIdSet"]
        return identifier, self.attributes(identifier)

    def delete(self, request: Request) -> None:
        """Delete a flow log."""
        call_ministack("ec2", "DeleteFlowLogs", {"FlowLogId.1": request.identifier})

    def attributes(self, identifier: str) -> Document:
        """A flow log's only attribute, its id."""
        return {"Id": identifier}


class _SecurityGroupRule(ResourceType):
    """A rule of a security group that another template has."""

    create_only = (
        *("GroupId", "IpProtocol", "FromPort", "ToPort", "CidrIp", "CidrIpv6", "SourcePrefixListId"),
        *(
            "SourceSecurityGroupId",
            "SourceSecurityGroupOwnerId",
            "DestinationPrefixListId",
            "DestinationSecurityGroupId",
        ),
    )
    _direction: ClassVar[str]

    def create(self, request: Request) -> Created:
        """Add the rule to its group, which has to lack it."""
        group = call_ministack("ec2", "DescribeSecurityGroups", {"GroupId.1": request.properties["GroupId"]})
        if self._is_in(group["securityGroupInfo"][0], request.properties):
            raise handler_failure("the specified rule already exists", "AlreadyExists")
        made = call_ministack("ec2", f"AuthorizeSecurityGroup{self._direction}", _permission(request.properties))
        identifier = made["securityGroupRuleSet"][0]["securityGroupRuleId"]
        return identifier, {"Id": identifier}

    def update(self, request: Request) -> Created:
        """Change the description, which nothing reads."""
        return request.identifier, {"Id": request.identifier}

    def delete(self, request: Request) -> None:
        """Remove the rule from its group."""
        call_ministack("ec2", f"RevokeSecurityGroup{self._direction}", _permission(request.properties))

    def _is_in(self, group: Document, rule: Document) -> bool:
        found = group.get("ipPermissions" if self._direction == "Ingress" else "ipPermissionsEgress") or []
        other = rule.get("SourceSecurityGroupId") or rule.get("DestinationSecurityGroupId") or rule.get("CidrIp")
        return any(
            str(one.get("fromPort")) == str(rule["FromPort"])
            and str(one.get("toPort")) == str(rule["ToPort"])
            and other in [*(pair["groupId"] for pair in one.get("groups") or []), *_blocks(one)]
            for one in found
        )


class SecurityGroupIngress(_SecurityGroupRule):
    """AWS::EC2::SecurityGroupIngress."""

    name = "AWS::EC2::SecurityGroupIngress"
    _direction = "Ingress"


class SecurityGroupEgress(_SecurityGroupRule):
    """AWS::EC2::SecurityGroupEgress."""

    name = "AWS::EC2::SecurityGroupEgress"
    _direction = "Egress"


def _blocks(permission: Document) -> list[str]:
    return [one["cidrIp"] for one in permission.get("ipRanges") or []]


def _permission(rule: Document) -> Document:
    """A rule for another group, or for a block of IPv4 addresses, as EC2's API has it."""
    other = rule.get("SourceSecurityGroupId") or rule.get("DestinationSecurityGroupId")
    if not other and "CidrIp" not in rule:
        raise ValueError("not rehearsed: a rule of a security group for anything but another group or a block of IPv4")
    whom = {"Groups.1.GroupId": other} if other else {"IpRanges.1.CidrIp": rule["CidrIp"]}
    permission = {key: rule[key] for key in ("IpProtocol", "FromPort", "ToPort")} | whom
    return {"GroupId": rule["GroupId"], **_members("IpPermissions", [permission])}


def _members(prefix: str, items: list[Document]) -> Document:
    return {f"{prefix}.{index}.{key}": value for index, item in enumerate(items, 1) for key, value in item.items()}


def _tag_specification(kind: str, properties: Document) -> Document:
    tags = [{"Key": key, "Value": value} for key, value in tag_map(properties.get("Tags")).items()]
    if not tags:
        return {}
    return {"TagSpecification.1.ResourceType": kind, **_members("TagSpecification.1.Tag", tags)}
