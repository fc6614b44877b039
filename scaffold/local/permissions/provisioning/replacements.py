"""Which updates replace a resource, for the types of which ministack does not tell it: a replacement is a creation."""

from __future__ import annotations

from scaffold.local.protocol import Document

#: The properties that only a creation sets, as the types' schemas have them, without those that no template uses.
CREATE_ONLY: dict[str, tuple[str, ...]] = {
    "AWS::CloudWatch::Dashboard": ("DashboardName",),
    "AWS::DynamoDB::Table": ("KeySchema", "TableName"),
    "AWS::EC2::Route": ("DestinationCidrBlock", "DestinationIpv6CidrBlock", "DestinationPrefixListId", "RouteTableId"),
    "AWS::EC2::RouteTable": ("VpcId",),
    "AWS::EC2::SecurityGroup": ("GroupDescription", "GroupName", "VpcId"),
    "AWS::EC2::Subnet": ("AvailabilityZone", "AvailabilityZoneId", "CidrBlock", "Ipv6Native", "OutpostArn", "VpcId"),
    "AWS::EC2::SubnetRouteTableAssociation": ("RouteTableId", "SubnetId"),
    "AWS::EC2::VPC": ("CidrBlock",),
    "AWS::EC2::VPCEndpoint": ("ServiceName", "VpcEndpointType", "VpcId"),
    "AWS::EC2::VPCGatewayAttachment": ("VpcId",),
    "AWS::ECS::Cluster": ("ClusterName",),
    "AWS::ElasticLoadBalancingV2::Listener": ("LoadBalancerArn",),
    "AWS::ElasticLoadBalancingV2::ListenerRule": ("ListenerArn",),
    "AWS::Events::Rule": ("Name",),
    "AWS::Logs::LogGroup": ("LogGroupName",),
    "AWS::Route53::RecordSet": ("HostedZoneId",),
    "AWS::S3::Bucket": ("BucketName",),
    "AWS::S3::BucketPolicy": ("Bucket",),
    "AWS::SNS::Subscription": ("Endpoint", "Protocol", "TopicArn"),
    "AWS::SQS::Queue": ("FifoQueue", "QueueName"),
}


def replaces(kind: str, old: Document, new: Document) -> bool:
    """Whether an update from old to new properties replaces a resource."""
    return any(old.get(name) != new.get(name) for name in CREATE_ONLY.get(kind, ()))
