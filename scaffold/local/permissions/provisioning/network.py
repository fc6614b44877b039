"""The calls for networks: VPC, subnets, routes, gateways, endpoints, security groups."""

from __future__ import annotations

from scaffold.local.permissions.provisioning.calls import ResourceCalls, Tagging

_TAGGING = Tagging("ec2:CreateTags self", "ec2:DeleteTags self", "ec2:CreateAction")

CALLS = {
    "AWS::EC2::EIP": ResourceCalls(
        "ec2",
        "elastic-ip/{id}",
        create="""
            AllocateAddress self
            DescribeAddresses""",
        delete="""
            DescribeAddresses
            DisassociateAddress self
            ReleaseAddress self""",
        read="""
            DescribeAddresses
            DescribeTags""",
        tagging=_TAGGING,
        not_rehearsed=("InstanceId",),
    ),
    # Without permission for the policy of the bucket, EC2 leaves it as it is.
    "AWS::EC2::FlowLog": ResourceCalls(
        "ec2",
        "vpc-flow-log/{id}",
        create="""
            CreateFlowLogs self vpc/{ResourceId}
            logs:CreateLogDelivery""",
        delete="""
            DeleteFlowLogs self
            logs:DeleteLogDelivery""",
        read="DescribeFlowLogs",
        tagging=_TAGGING,
        not_rehearsed=("DeliverCrossAccountRole", "DeliverLogsPermissionArn", "LogGroupName"),
    ),
    "AWS::EC2::InternetGateway": ResourceCalls(
        "ec2",
        "internet-gateway/{id}",
        create="CreateInternetGateway self",
        delete="""
            DescribeInternetGateways
            DeleteInternetGateway self""",
        read="DescribeInternetGateways",
        tagging=_TAGGING,
    ),
    "AWS::EC2::NatGateway": ResourceCalls(
        "ec2",
        "natgateway/{id}",
        create="CreateNatGateway self subnet/{SubnetId} elastic-ip/{AllocationId}",
        delete="""
            DeleteNatGateway self
            DescribeNatGateways""",
        read="DescribeNatGateways",
        tagging=_TAGGING,
        not_rehearsed=("SecondaryAllocationIds", "SecondaryPrivateIpAddresses", "SecondaryPrivateIpAddressCount"),
    ),
    "AWS::EC2::Route": ResourceCalls(
        "ec2",
        "route-table/{RouteTableId}",
        create="CreateRoute self",
        update="ReplaceRoute self",
        delete="""
            DeleteRoute self
            DescribeRouteTables""",
        read="""
            DescribeNetworkInterfaces
            DescribeRouteTables""",
    ),
    "AWS::EC2::RouteTable": ResourceCalls(
        "ec2",
        "route-table/{id}",
        create="CreateRouteTable self vpc/{VpcId}",
        delete="""
            DescribeRouteTables
            DeleteRouteTable self""",
        read="DescribeRouteTables",
        tagging=_TAGGING,
    ),
    "AWS::EC2::SecurityGroup": ResourceCalls(
        "ec2",
        "security-group/{id}",
        create="CreateSecurityGroup self vpc/{VpcId}",
        # A new group allows all outgoing traffic, which is revoked where the template has rules of its own.
        set="""
            +SecurityGroupIngress AuthorizeSecurityGroupIngress self
            +SecurityGroupEgress AuthorizeSecurityGroupEgress self
            +SecurityGroupEgress RevokeSecurityGroupEgress self""",
        change="""
            -SecurityGroupIngress RevokeSecurityGroupIngress self
            -SecurityGroupEgress RevokeSecurityGroupEgress self
            +SecurityGroupIngress UpdateSecurityGroupRuleDescriptionsIngress self
            +SecurityGroupEgress UpdateSecurityGroupRuleDescriptionsEgress self""",
        delete="""
            DescribeSecurityGroups
            DescribeInstances
            DeleteSecurityGroup self""",
        read="DescribeSecurityGroups",
        tagging=_TAGGING,
    ),
    "AWS::EC2::SecurityGroupEgress": ResourceCalls(
        "ec2",
        "security-group/{GroupId}",
        create="AuthorizeSecurityGroupEgress self",
        update="UpdateSecurityGroupRuleDescriptionsEgress self",
        delete="RevokeSecurityGroupEgress self",
        read="DescribeSecurityGroupRules",
    ),
    "AWS::EC2::SecurityGroupIngress": ResourceCalls(
        "ec2",
        "security-group/{GroupId}",
        create="AuthorizeSecurityGroupIngress self",
        update="UpdateSecurityGroupRuleDescriptionsIngress self",
        delete="RevokeSecurityGroupIngress self",
        read="DescribeSecurityGroupRules",
    ),
    "AWS::EC2::Subnet": ResourceCalls(
        "ec2",
        "subnet/{id}",
        create="CreateSubnet self vpc/{VpcId}",
        set="""
            +MapPublicIpOnLaunch,AssignIpv6AddressOnCreation,EnableDns64,PrivateDnsNameOptionsOnLaunch \
            ModifySubnetAttribute self""",
        delete="""
            DescribeSubnets
            DeleteSubnet self""",
        read="""
            DescribeNetworkAcls
            DescribeSubnets""",
        tagging=_TAGGING,
    ),
    "AWS::EC2::SubnetRouteTableAssociation": ResourceCalls(
        "ec2",
        "route-table/{RouteTableId}",
        create="""
            AssociateRouteTable self subnet/{SubnetId}
            ReplaceRouteTableAssociation self""",
        delete="DisassociateRouteTable self",
        read="""
            DescribeRouteTables
            DescribeSubnets""",
    ),
    "AWS::EC2::VPC": ResourceCalls(
        "ec2",
        "vpc/{id}",
        create="CreateVpc self",
        set="+EnableDnsHostnames,EnableDnsSupport ModifyVpcAttribute self",
        delete="""
            DescribeVpcs
            DeleteVpc self""",
        read="""
            DescribeNetworkAcls
            DescribeSecurityGroups
            DescribeVpcAttribute
            DescribeVpcEncryptionControls
            DescribeVpcs""",
        tagging=_TAGGING,
    ),
    "AWS::EC2::VPCEndpoint": ResourceCalls(
        "ec2",
        "vpc-endpoint/{id}",
        create="""
            CreateVpcEndpoint self vpc/{VpcId} route-table/{RouteTableIds} subnet/{SubnetIds} \
                security-group/{SecurityGroupIds}""",
        update="ModifyVpcEndpoint self",
        delete="""
            DeleteVpcEndpoints self
            DescribeVpcEndpoints""",
        read="DescribeVpcEndpoints",
        tagging=_TAGGING,
    ),
    "AWS::EC2::VPCGatewayAttachment": ResourceCalls(
        "ec2",
        "internet-gateway/{InternetGatewayId}",
        create="AttachInternetGateway self vpc/{VpcId}",
        update="""
            DetachInternetGateway self vpc/{VpcId}
            AttachInternetGateway self vpc/{VpcId}""",
        delete="DetachInternetGateway self vpc/{VpcId}",
        read="""
            DescribeInternetGateways
            DescribeVpnGateways""",
        not_rehearsed=("VpnGatewayId",),
    ),
}
