"""AWS's messages about quotas that are exhausted or zero, and the quota to raise."""

from __future__ import annotations

import re

# A pattern of AWS's message → the quota to raise.
_MESSAGES = (
    (r"Cannot have more than \d+ builds in queue", "CodeBuild: concurrently running builds"),
    (r"limit on the number of vCPUs you can run concurrently", "Fargate: vCPU resource count"),
    (r"limit on the number of tasks you can run concurrently", "Fargate: vCPU resource count"),
    (r"does not support creating load balancers", "Elastic Load Balancing: Application Load Balancers per Region"),
    (r"VpcLimitExceeded|maximum number of VPCs", "Amazon VPC: VPCs per Region"),
    (r"InternetGatewayLimitExceeded|maximum number of internet gateways", "Amazon VPC: internet gateways per Region"),
    (r"AddressLimitExceeded|maximum number of addresses", "Amazon EC2: EC2-VPC Elastic IPs"),
    (r"NatGatewayLimitExceeded|limit for NAT gateways", "Amazon VPC: NAT gateways per Availability Zone"),
    (r"TooManyBuckets", "Amazon S3: general purpose buckets"),
    (r"AccountLimitExceeded|QuotaExceeded|LimitExceeded", "the quota named in the message"),
)
_FRESH_ACCOUNT = (
    r"needs a subscription for the service|OptInRequired|SubscriptionRequired|not subscribed to this service|"
    r"account is currently being verified|pending verification|Account.*(is )?blocked"
)


def remedy_for(message: str) -> str | None:
    """The remedy for a message about a quota, or None where the message is about something else.

    Args:
        message: AWS's message, preceded by the error code where there is one.
    """
    if re.search(_FRESH_ACCOUNT, message, re.IGNORECASE):
        return (
            "The account is new or not fully activated: add a payment method, wait for AWS's activation mail (up to 24 "
            "hours), then run the same command again."
        )
    quota = next((quota for pattern, quota in _MESSAGES if re.search(pattern, message, re.IGNORECASE)), None)
    if quota is None:
        return None
    return (
        f"Ask for more in the Service Quotas console ({quota}); a fresh account often starts at zero and is raised "
        "within a day. Then run the same command again."
    )
