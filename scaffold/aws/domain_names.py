"""Hosted zones and certificates of the account, as far as a service is reached by their names."""

from __future__ import annotations

from dataclasses import dataclass

from botocore.exceptions import ClientError

from scaffold.aws.errors import code_of
from scaffold.aws.session import Session


@dataclass(frozen=True)
class HostedZone:
    """A hosted zone of Route 53.

    Attributes:
        name: Its name, without the dot at the end.
        private: Whether only VPCs can look names up in it.
    """

    id: str
    name: str
    private: bool

    def has(self, name: str) -> bool:
        """Whether a name can have a record in it."""
        return name == self.name or name.endswith(f".{self.name}")


@dataclass(frozen=True)
class Certificate:
    """A certificate of ACM.

    Attributes:
        status: As ACM names it, such as `ISSUED`.
        names: What it is for; `*.` stands for one label.
    """

    arn: str
    status: str
    names: tuple[str, ...]

    def covers(self, name: str) -> bool:
        """Whether browsers accept it for a name."""
        _, _, parent = name.partition(".")
        return name in self.names or f"*.{parent}" in self.names


def hosted_zone(session: Session, identifier: str) -> HostedZone | None:
    """The hosted zone with an id; None if the account has none."""
    try:
        found = session.client("route53").get_hosted_zone(Id=identifier)["HostedZone"]
    except ClientError as error:
        if code_of(error) == "NoSuchHostedZone":
            return None
        raise
    private = bool(found.get("Config", {}).get("PrivateZone"))
    return HostedZone(identifier, found["Name"].rstrip("."), private)


def record_types(session: Session, zone: HostedZone, name: str) -> frozenset[str]:
    """The types of the records that a name has in a hosted zone."""
    # The list begins at the name.
    listed = session.client("route53").list_resource_record_sets(HostedZoneId=zone.id, StartRecordName=name)
    return frozenset(one["Type"] for one in listed["ResourceRecordSets"] if one["Name"].rstrip(".") == name)


def certificate(session: Session, arn: str) -> Certificate | None:
    """The certificate with an ARN; None if the region has none."""
    try:
        found = session.client("acm").describe_certificate(CertificateArn=arn)["Certificate"]
    except ClientError as error:
        if code_of(error) == "ResourceNotFoundException":
            return None
        raise
    names = (found["DomainName"], *found.get("SubjectAlternativeNames", []))
    return Certificate(arn, found["Status"], tuple(dict.fromkeys(names)))
