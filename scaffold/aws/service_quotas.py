"""Quotas of the account, and how much of them is in use."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from botocore.exceptions import BotoCoreError, ClientError

from scaffold.aws.session import Session


@dataclass(frozen=True)
class QuotaId:
    """A quota, as Service Quotas identifies it."""

    service: str
    code: str
    name: str


VPCS = QuotaId("vpc", "L-F678F1CE", "VPCs per Region")
ELASTIC_IPS = QuotaId("ec2", "L-0263D0A3", "EC2-VPC Elastic IPs")
LOAD_BALANCERS = QuotaId("elasticloadbalancing", "L-53DA6B97", "Application Load Balancers per Region")
TABLES = QuotaId("dynamodb", "L-F98FE922", "Maximum number of tables")
DB_CLUSTERS = QuotaId("rds", "L-952B80B8", "DB clusters")
WEB_ACLS = QuotaId("wafv2", "L-2EC3DE7B", "Maximum web ACLs per account in WAF for regional")
ON_DEMAND_VCPUS = QuotaId("fargate", "L-3032A538", "Fargate On-Demand vCPU resource count")
SPOT_VCPUS = QuotaId("fargate", "L-36FBB829", "Fargate Spot vCPU resource count")
_BUILD_CODES = {
    ("Linux", "Small"): "L-9D07B6EF",
    ("Linux", "Medium"): "L-2DC20C30",
    ("Linux", "Large"): "L-4DDC4A99",
    ("ARM", "Small"): "L-5ED1D25B",
    ("ARM", "Medium"): "L-DF544FF3",
    ("ARM", "Large"): "L-596BEAB4",
}
# By environment type and compute type of a CodeBuild project.
BUILDS = {
    (f"{kind.upper()}_CONTAINER", f"BUILD_GENERAL1_{size.upper()}"): QuotaId(
        "codebuild", code, f"Concurrently running builds for {kind}/{size} environment"
    )
    for (kind, size), code in _BUILD_CODES.items()
}


@dataclass(frozen=True)
class Quota:
    """A quota that is too small.

    Attributes:
        value: The quota's value in the account.
        used: How much of it is in use; None where no call tells.
        needed: How much more of it is needed.
    """

    service: str
    code: str
    name: str
    value: float
    used: int | None
    needed: float


class Unreadable(Exception):
    """Service Quotas, or a call that tells what is in use, was refused or gave no answer."""


def too_small(session: Session, needs: Mapping[QuotaId, float]) -> tuple[Quota, ...]:
    """The quotas that do not suffice for what is needed in addition to what is in use.

    Raises:
        Unreadable: With AWS's error code, or botocore's message.
    """
    try:
        found = [_quota(session, quota, needed) for quota, needed in needs.items() if needed > 0]
    except ClientError as error:
        raise Unreadable(error.response["Error"]["Code"]) from error
    except BotoCoreError as error:
        raise Unreadable(str(error)) from error
    return tuple(quota for quota in found if quota and (quota.used or 0) + quota.needed > quota.value)


def _quota(session: Session, quota: QuotaId, needed: float) -> Quota | None:
    """None where the region does not have the quota."""
    value = _value(session, quota)
    if value is None:
        return None
    count = _USED.get(quota)
    return Quota(quota.service, quota.code, quota.name, value, count(session) if count else None, needed)


def _value(session: Session, quota: QuotaId) -> float | None:
    # The deployment does not need the answer, so the calls are not repeated.
    client = session.client("service-quotas", attempts=1)
    # A quota that was never changed may have its default value only.
    for read in (client.get_service_quota, client.get_aws_default_service_quota):
        try:
            return float(read(ServiceCode=quota.service, QuotaCode=quota.code)["Quota"]["Value"])
        except ClientError as error:
            if error.response["Error"]["Code"] != "NoSuchResourceException":
                raise
    return None


def _vpcs(session: Session) -> int:
    pages = session.client("ec2", attempts=1).get_paginator("describe_vpcs").paginate()
    # VPCs that other accounts share count in their accounts.
    return sum(vpc.get("OwnerId", session.account) == session.account for page in pages for vpc in page["Vpcs"])


def _elastic_ips(session: Session) -> int:
    return len(session.client("ec2", attempts=1).describe_addresses()["Addresses"])


def _load_balancers(session: Session) -> int:
    pages = session.client("elbv2", attempts=1).get_paginator("describe_load_balancers").paginate()
    return sum(one["Type"] == "application" for page in pages for one in page["LoadBalancers"])


def _tables(session: Session) -> int:
    pages = session.client("dynamodb", attempts=1).get_paginator("list_tables").paginate()
    return sum(len(page["TableNames"]) for page in pages)


def _db_clusters(session: Session) -> int:
    pages = session.client("rds", attempts=1).get_paginator("describe_db_clusters").paginate()
    return sum(len(page["DBClusters"]) for page in pages)


def _web_acls(session: Session) -> int:
    # boto3 has no paginator for it.
    client, count = session.client("wafv2", attempts=1), 0
    rest: dict[str, str] = {}
    while True:
        page = client.list_web_acls(Scope="REGIONAL", Limit=100, **rest)
        count += len(page["WebACLs"])
        if not page["WebACLs"] or "NextMarker" not in page:
            return count
        rest = {"NextMarker": page["NextMarker"]}


_USED: dict[QuotaId, Callable[[Session], int]] = {
    VPCS: _vpcs,
    ELASTIC_IPS: _elastic_ips,
    LOAD_BALANCERS: _load_balancers,
    TABLES: _tables,
    DB_CLUSTERS: _db_clusters,
    WEB_ACLS: _web_acls,
}
