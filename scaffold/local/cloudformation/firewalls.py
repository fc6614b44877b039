"""The resource types of AWS WAF that ministack's CloudFormation lacks. No request is looked at."""

from __future__ import annotations

import re

from scaffold.local.cloudformation.resource_types import Created, Request, ResourceType, call_ministack
from scaffold.local.protocol import ACCOUNT

_LOG_GROUP = re.compile(rf"arn:aws[a-z-]*:logs:[a-z0-9-]+:{ACCOUNT}:log-group:aws-waf-logs-[^:*]+")


class WebAclAssociation(ResourceType):
    """AWS::WAFv2::WebACLAssociation."""

    name = "AWS::WAFv2::WebACLAssociation"
    create_only = ("ResourceArn", "WebACLArn")

    def create(self, request: Request) -> Created:
        """Associate a web ACL with a load balancer that exists."""
        given = {name: request.properties[name] for name in ("ResourceArn", "WebACLArn")}
        call_ministack("elbv2", "DescribeLoadBalancers", {"LoadBalancerArns.member.1": given["ResourceArn"]})
        call_ministack("wafv2", "AssociateWebACL", given)
        return f"{given['WebACLArn']}|{given['ResourceArn']}", {}

    def update(self, request: Request) -> Created:
        """Nothing of it can change in place."""
        return request.identifier, {}

    def delete(self, request: Request) -> None:
        """Take the web ACL from the load balancer."""
        call_ministack("wafv2", "DisassociateWebACL", {"ResourceArn": request.properties["ResourceArn"]})


class LoggingConfiguration(ResourceType):
    """AWS::WAFv2::LoggingConfiguration. Nothing is logged."""

    name = "AWS::WAFv2::LoggingConfiguration"
    create_only = ("ResourceArn",)

    def create(self, request: Request) -> Created:
        """Check that WAF would accept the log group."""
        self._check(request)
        return str(request.properties["ResourceArn"]), {}

    def update(self, request: Request) -> Created:
        """As the creation."""
        self._check(request)
        return request.identifier, {}

    def delete(self, request: Request) -> None:
        """Nothing is left of it."""

    def _check(self, request: Request) -> None:
        for destination in request.properties["LogDestinationConfigs"]:
            if not _LOG_GROUP.fullmatch(str(destination)):
                raise ValueError(
                    "The ARN isn't valid. A valid ARN begins with arn: and includes other information separated by "
                    f"colons or slashes, field: LOG_DESTINATION, parameter: {destination}"
                )
            name = str(destination).rpartition(":")[2]
            found = call_ministack("logs", "DescribeLogGroups", {"logGroupNamePrefix": name})["logGroups"]
            if name not in [one["logGroupName"] for one in found]:
                raise ValueError(f"AWS WAF couldn't find the log group {name}")
