"""Whether the names of environments can lead to them, looked at before anything is changed."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from scaffold.aws import domain_names
from scaffold.aws.cloudformation import templates
from scaffold.aws.cloudformation.stacks import Stack
from scaffold.aws.domain_names import HostedZone
from scaffold.aws.session import Session
from scaffold.core.errors import ScaffoldError
from scaffold.deployment.refused_answer import refused
from scaffold.service.service import Service
from scaffold.service.stack_kinds import DOMAIN, StackId

_NAME, _ZONE, _CERTIFICATE = "DomainName", "HostedZoneId", "CertificateArn"
# Beside one of these, Route 53 creates no alias record of the type A.
_IN_THE_WAY = ("A", "CNAME")


def check_domains(session: Session, service: Service, existing: Mapping[str, Stack]) -> None:
    """Refuse hosted zones and certificates with which a release would fail or wait. What stays is not looked up.

    Local AWS has no zones and certificates of the owner's: what it lacks is passed over.

    Args:
        existing: The account's stacks, by name.

    Raises:
        ScaffoldError: A hosted zone or a certificate does not exist or does not fit, or a name has a record already.
    """
    zone_of = cache(lambda identifier: domain_names.hosted_zone(session, identifier))
    for environment in service.environments:
        one = StackId(DOMAIN, environment)
        wanted = templates.given_parameters(service, one)
        stack = existing.get(one.name(service.app_name))
        if not wanted.get(_NAME) or (stack and stack.busy):
            continue
        deployed = stack.parameters if stack and stack.released else {}
        name, zone, certificate = (wanted.get(key, "") for key in (_NAME, _ZONE, _CERTIFICATE))
        new_name = name != deployed.get(_NAME)
        if zone and (new_name or zone != deployed.get(_ZONE)):
            _check_zone(session, environment, name, zone, zone_of(zone))
        if certificate and (new_name or certificate != deployed.get(_CERTIFICATE)):
            _check_certificate(session, service, environment, name, certificate)


def _check_zone(session: Session, environment: str, name: str, identifier: str, zone: HostedZone | None) -> None:
    if zone is None:
        if session.target.local:
            return
        raise refused(
            f"The hosted zone {identifier} of {environment} does not exist in account {session.account}.",
            "hosted_zone_id",
        )
    if zone.private:
        raise refused(
            f"The hosted zone {identifier} of {environment} is private, and a certificate is validated from the "
            "internet.",
            "hosted_zone_id",
        )
    if not zone.has(name):
        raise refused(
            f"The hosted zone {identifier} of {environment} is that of {zone.name}, and {name} is no name in it.",
            "hosted_zone_id",
        )
    taken = domain_names.record_types(session, zone, name).intersection(_IN_THE_WAY)
    if taken:
        raise ScaffoldError(
            f"{name} of {environment} has a record of the type {min(taken)} in the hosted zone {identifier} already, "
            "and CloudFormation replaces none.",
            "Delete it if nobody needs it, and run the same command again; or keep it and lead it to the load balancer "
            'yourself, as "Domain" in README.md says: answer certificate_arn, and hosted_zone_id with an empty value.',
        )


def _check_certificate(session: Session, service: Service, environment: str, name: str, arn: str) -> None:
    # ACM does not show the certificates of other accounts.
    own = arn.split(":")[4] == session.account
    certificate = domain_names.certificate(session, arn) if own else None
    if certificate is None:
        if session.target.local:
            return
        raise refused(
            f"The certificate {arn} of {environment} does not exist in account {session.account}, {service.region}.",
            "certificate_arn",
        )
    if certificate.status != "ISSUED":
        raise ScaffoldError(
            f"The certificate {arn} of {environment} has the status {certificate.status}, and load balancers take "
            "issued ones only.",
            "Validate or renew it, or answer certificate_arn with another one, commit, and run the same command again.",
        )
    if not certificate.covers(name):
        raise refused(
            f"The certificate {arn} is for {', '.join(certificate.names)}, and not for {name} of {environment}.",
            "certificate_arn",
        )
