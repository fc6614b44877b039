"""The API calls that CloudFormation makes for the resource types of the stacks, in the table of local AWS.

A type that the table lacks fails the tests, so that a new resource comes with its permissions.
"""

from __future__ import annotations

from scaffold.local.permissions.provisioning.table import CALLS

# Calls whose resource is not known in advance, and calls that CloudFormation makes for all resources.
UNNAMED = (
    "billing:GetBillingViewData",
    "cloudtrail:DescribeTrails",
    "cloudwatch:DescribeAlarms",
    "cloudwatch:GetMetricData",
    "ec2:AllocateAddress",
    "ec2:Create*",
    "ec2:Describe*",
    "ecs:CreateCluster",
    "ecs:DeregisterTaskDefinition",
    "ecs:DescribeTaskDefinition",
    "ecs:RegisterTaskDefinition",
    "elasticloadbalancing:CreateLoadBalancer",
    "elasticloadbalancing:CreateTargetGroup",
    "elasticloadbalancing:Describe*",
    "kms:CreateKey",
    "logs:Describe*",
    "logs:GetDataProtectionPolicy",
    "sns:GetSubscriptionAttributes",
    "sns:Unsubscribe",
)
# No role may lose its boundary: a template without one is refused.
_REFUSED = {"iam:DeleteRolePermissionsBoundary"}


def calls(type_name: str) -> list[str]:
    """The calls of a resource type.

    Raises:
        KeyError: The table lacks the type.
    """
    return sorted(CALLS[type_name].actions - _REFUSED)
