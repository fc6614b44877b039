"""The calls for load balancers, listeners, rules and target groups."""

from __future__ import annotations

from scaffold.local.permissions.provisioning.calls import ResourceCalls, Tagging

_SERVICE = "elasticloadbalancing"
_TAGGING = Tagging(f"{_SERVICE}:AddTags self", f"{_SERVICE}:RemoveTags self", f"{_SERVICE}:CreateAction")

CALLS = {
    "AWS::ElasticLoadBalancingV2::Listener": ResourceCalls(
        _SERVICE,
        parent=("LoadBalancerArn", ":loadbalancer/", ":listener/"),
        create="CreateListener {LoadBalancerArn}",
        set="+ListenerAttributes ModifyListenerAttributes self",
        update="ModifyListener self",
        delete="""
            DescribeListeners
            DeleteListener self""",
        read="""
            DescribeListenerAttributes
            DescribeListeners
            DescribeTags""",
        tagging=_TAGGING,
    ),
    "AWS::ElasticLoadBalancingV2::ListenerRule": ResourceCalls(
        _SERVICE,
        parent=("ListenerArn", ":listener/", ":listener-rule/"),
        create="CreateRule {ListenerArn}",
        change="+Priority SetRulePriorities self",
        update="ModifyRule self",
        delete="""
            DescribeRules
            DeleteRule self""",
        read="""
            DescribeRules
            DescribeTags""",
        tagging=_TAGGING,
    ),
    "AWS::ElasticLoadBalancingV2::LoadBalancer": ResourceCalls(
        _SERVICE,
        "loadbalancer/app/{id}",
        name="Name",
        suffix="/*",
        create="CreateLoadBalancer self",
        set="+LoadBalancerAttributes ModifyLoadBalancerAttributes self",
        change="""
            +SecurityGroups SetSecurityGroups self
            -SecurityGroups SetSecurityGroups self
            +Subnets,SubnetMappings,IpAddressType SetSubnets self
            -Subnets,SubnetMappings SetSubnets self""",
        delete="""
            DescribeLoadBalancers
            DeleteLoadBalancer self""",
        read="""
            DescribeCapacityReservation
            DescribeLoadBalancerAttributes
            DescribeLoadBalancers
            DescribeTags""",
        tagging=_TAGGING,
        not_rehearsed=("Ipv4IpamPoolId", "MinimumLoadBalancerCapacity"),
    ),
    "AWS::ElasticLoadBalancingV2::TargetGroup": ResourceCalls(
        _SERVICE,
        "targetgroup/{id}",
        name="Name",
        suffix="/*",
        create="""
            CreateTargetGroup self
            ec2:DescribeVpcs""",
        set="+TargetGroupAttributes ModifyTargetGroupAttributes self",
        update="ModifyTargetGroup self",
        delete="""
            DeleteTargetGroup self
            DescribeTargetGroups""",
        read="""
            DescribeTags
            DescribeTargetGroupAttributes
            DescribeTargetGroups
            DescribeTargetHealth""",
        tagging=_TAGGING,
        not_rehearsed=("Targets",),
    ),
}
