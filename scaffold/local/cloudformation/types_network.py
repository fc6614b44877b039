"""CloudFormation types of the network: addresses, NAT gateways, rules of security groups."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import replace

from scaffold.local.cloudformation.resource_types import CallAws, Created, Failed, Request, ResourceType, tag_map
from scaffold.local.protocol import Document


class _OverApi(ResourceType):
    """A type that is made of calls to ministack's own API."""

    def __init__(self, aws: CallAws) -> None:
        self._aws = aws

    def update(self, request: Request) -> Created:
        """Change the tags, the one thing that can change in place."""
        before, after = tag_map(request.old.get("Tags")), tag_map(request.properties.get("Tags"))
        gone = [key for key in before if key not in after]
        if gone:
            tags = _members("Tag", [{"Key": key} for key in gone])
            self._aws("ec2", "DeleteTags", {"ResourceId.1": request.identifier, **tags})
        if after:
            tags = _members("Tag", [{"Key": key, "Value": value} for key, value in after.items()])
            self._aws("ec2", "CreateTags", {"ResourceId.1": request.identifier, **tags})
        return request.identifier, self.attributes(request.identifier)

    @abstractmethod
    def attributes(self, identifier: str) -> Document:
        """What `Fn::GetAtt` gives for a resource."""


class ElasticIp(_OverApi):
    """AWS::EC2::EIP."""

    name = "AWS::EC2::EIP"
    create_only = ("Domain", "NetworkBorderGroup", "TransferAddress", "Address", "IpamPoolId")
    tags = ("Tags", "list")

    def create(self, request: Request) -> Created:
        """Allocate an address; `Ref` gives the address, the allocation is an attribute."""
        tags = _tag_specification("elastic-ip", request.properties)
        made = self._aws("ec2", "AllocateAddress", {"Domain": "vpc", **tags})
        return made["publicIp"], {"AllocationId": made["allocationId"], "PublicIp": made["publicIp"]}

    def update(self, request: Request) -> Created:
        """Change the tags of an address."""
        attributes = self.attributes(request.identifier)
        super().update(replace(request, identifier=str(attributes["AllocationId"])))
        return request.identifier, attributes

    def delete(self, request: Request) -> None:
        """Release an address."""
        allocation = self.attributes(request.identifier).get("AllocationId")
        if allocation:
            self._aws("ec2", "ReleaseAddress", {"AllocationId": allocation})

    def attributes(self, identifier: str) -> Document:
        """The allocation of an address, or of an allocation."""
        for item in self._aws("ec2", "DescribeAddresses", {}).get("addressesSet", []):
            if identifier in (item["publicIp"], item["allocationId"]):
                return {"AllocationId": item["allocationId"], "PublicIp": item["publicIp"]}
        return {}


class NatGateway(_OverApi):
    """AWS::EC2::NatGateway."""

    name = "AWS::EC2::NatGateway"
    create_only = ("AllocationId", "ConnectivityType", "PrivateIpAddress", "SubnetId", "VpcId")
    tags = ("Tags", "list")

    def create(self, request: Request) -> Created:
        """Create a gateway in an existing subnet, over an existing address."""
        public = request.properties.get("ConnectivityType", "public") == "public"
        if public and "AllocationId" not in request.properties:
            raise ValueError("A public NAT gateway needs an AllocationId")
        known = [item["allocationId"] for item in self._aws("ec2", "DescribeAddresses", {}).get("addressesSet", [])]
        if public and request.properties["AllocationId"] not in known:
            raise ValueError(f"Elastic IP address [{request.properties['AllocationId']}] could not be found")
        self._aws("ec2", "DescribeSubnets", {"SubnetId.1": request.properties["SubnetId"]})
        passed = ("SubnetId", "AllocationId", "ConnectivityType")
        given = {key: value for key, value in request.properties.items() if key in passed}
        made = self._aws("ec2", "CreateNatGateway", given | _tag_specification("natgateway", request.properties))
        identifier = made["natGateway"]["natGatewayId"]
        return identifier, self.attributes(identifier)

    def delete(self, request: Request) -> None:
        """Delete a gateway."""
        self._aws("ec2", "DeleteNatGateway", {"NatGatewayId": request.identifier})

    def attributes(self, identifier: str) -> Document:
        """A gateway's id."""
        return {"NatGatewayId": identifier}


class _SecurityGroupRule(ResourceType):
    """A rule that stands beside its security group in the template."""

    direction: str
    peer: str

    def __init__(self, aws: CallAws) -> None:
        self._aws = aws

    def create(self, request: Request) -> Created:
        """Add the rule to its group."""
        self._aws("ec2", f"AuthorizeSecurityGroup{self.direction}", self._rule(request.properties))
        identifier = f"{request.properties['GroupId']}|{request.generated_name}"
        return identifier, {"Id": identifier}

    def update(self, request: Request) -> Created:
        """Exchange the rule for one with another description, the one thing that can change in place."""
        self.delete(replace(request, properties=request.old))
        self._aws("ec2", f"AuthorizeSecurityGroup{self.direction}", self._rule(request.properties))
        return request.identifier, {"Id": request.identifier}

    def delete(self, request: Request) -> None:
        """Take the rule from its group; a group that is gone took it along."""
        try:
            self._aws("ec2", f"RevokeSecurityGroup{self.direction}", self._rule(request.properties))
        except Failed as error:
            if "NotFound" not in error.code:
                raise

    def _rule(self, properties: Document) -> Document:
        permission = "IpPermissions.1"
        given = {"GroupId": properties["GroupId"], f"{permission}.IpProtocol": str(properties["IpProtocol"])}
        for key in ("FromPort", "ToPort"):
            if key in properties:
                given[f"{permission}.{key}"] = str(properties[key])
        peers = {
            "CidrIp": "IpRanges.1.CidrIp",
            "CidrIpv6": "Ipv6Ranges.1.CidrIpv6",
            f"{self.peer}PrefixListId": "PrefixListIds.1.PrefixListId",
            f"{self.peer}SecurityGroupId": "Groups.1.GroupId",
        }
        named = [key for key in peers if key in properties]
        if len(named) != 1:
            raise ValueError(f"Exactly one of {', '.join(peers)} must be specified")
        given[f"{permission}.{peers[named[0]]}"] = properties[named[0]]
        if "Description" in properties:
            target = peers[named[0]].rsplit(".", 1)[0]
            given[f"{permission}.{target}.Description"] = properties["Description"]
        return given


class SecurityGroupIngress(_SecurityGroupRule):
    """AWS::EC2::SecurityGroupIngress."""

    name = "AWS::EC2::SecurityGroupIngress"
    direction = "Ingress"
    peer = "Source"
    create_only = (
        *("CidrIp", "CidrIpv6", "FromPort", "GroupId", "GroupName", "IpProtocol", "SourcePrefixListId"),
        *("SourceSecurityGroupId", "SourceSecurityGroupName", "SourceSecurityGroupOwnerId", "ToPort"),
    )


class SecurityGroupEgress(_SecurityGroupRule):
    """AWS::EC2::SecurityGroupEgress."""

    name = "AWS::EC2::SecurityGroupEgress"
    direction = "Egress"
    peer = "Destination"
    create_only = (
        *("CidrIp", "CidrIpv6", "FromPort", "GroupId", "IpProtocol", "DestinationPrefixListId"),
        *("DestinationSecurityGroupId", "ToPort"),
    )


def _members(prefix: str, items: list[Document]) -> Document:
    return {f"{prefix}.{index}.{key}": value for index, item in enumerate(items, 1) for key, value in item.items()}


def _tag_specification(kind: str, properties: Document) -> Document:
    tags = [{"Key": key, "Value": value} for key, value in tag_map(properties.get("Tags")).items()]
    if not tags:
        return {}
    return {"TagSpecification.1.ResourceType": kind, **_members("TagSpecification.1.Tag", tags)}
