"""`scaffold deploy` looks at hosted zones and certificates before it changes anything."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from scaffold.service import names
from scaffold.service.service import read
from tests.deploy.services import Wire, client, commit, environment_stack, release_stack, run
from tests.deploy.test_networks import untouched
from tests.deploy.test_refusals import refusal
from tests.destroy.test_permissions import LOOKING_AT_DOMAINS, OPTIONS, actions

NAME = "shop.example.com"
NO_ZONE = "Z0000000000000000000"
NO_CERTIFICATE = "arn:aws:acm:us-east-1:{}:certificate/01234567-89ab-cdef-0123-456789abcdef"
# Without the certificate and the record that CloudFormation would create.
STACK = """\
Parameters:
  DomainName: {Type: String}
  HostedZoneId: {Type: String, Default: ''}
  CertificateArn: {Type: String, Default: ''}
Resources:
  Topic: {Type: AWS::SNS::Topic}
"""
PLACEHOLDER = "Resources: {Any: {Type: AWS::SNS::Topic}}\nOutputs: {Prepared: {Value: 'true'}}\n"


def zone(name: str = "example.com", **more: Any) -> str:
    """The id of a new hosted zone."""
    made = client("route53").create_hosted_zone(Name=name, CallerReference=f"{name} {len(more)}", **more)
    return str(made["HostedZone"]["Id"]).removeprefix("/hostedzone/")


def certificate(*covered: str) -> str:
    """The ARN of a certificate, which local AWS issues at once."""
    first, *others = covered
    more = {"SubjectAlternativeNames": others} if others else {}
    made = client("acm").request_certificate(DomainName=first, ValidationMethod="DNS", **more)
    return str(made["CertificateArn"])


def put(service: Path, *, zone: str = "", certificate: str = "", name: str = NAME, environment: str = "prod") -> None:
    """Commit the files of a service whose environment has a name."""
    app = read(service).app_name
    given = {"DomainName": name, "HostedZoneId": zone, "CertificateArn": certificate}
    (service / "infrastructure" / "domain.yaml").write_text(STACK)
    (service / "infrastructure" / environment / "domain.json").write_text(
        json.dumps({"Parameters": given, "Tags": {names.TAG_SERVICE: app}})
    )
    commit(service)


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> None:
    """Local AWS as if it were an account, where an owner's zones and certificates are."""
    monkeypatch.delenv("SCAFFOLD_LOCAL")


def tags(service: Path) -> list[dict[str, str]]:
    return [{"Key": names.TAG_SERVICE, "Value": read(service).app_name}]


def looked_up(wire: Wire) -> set[str]:
    return {call for call in wire.calls if call.startswith(("route53:", "acm:"))}


def test_a_zone_and_a_certificate_that_fit_are_looked_up_until_the_release(service: Path, wire: Wire) -> None:
    put(service, zone=zone(), certificate=certificate("example.com", "*.example.com"))
    run(service, plan=True)
    assert looked_up(wire) == LOOKING_AT_DOMAINS <= actions(OPTIONS)
    stack = environment_stack(read(service).app_name, "prod", "domain")
    given = json.loads((service / "infrastructure/prod/domain.json").read_text())["Parameters"]
    release_stack(stack, STACK, given, Tags=tags(service))
    wire.calls.clear()
    run(service, plan=True)
    assert looked_up(wire) == set()
    # The record of the service itself, beside another certificate.
    put(service, zone=given["HostedZoneId"], certificate=certificate(NAME))
    run(service, plan=True)
    assert looked_up(wire) == {"acm:DescribeCertificate"}


def test_a_name_that_would_not_lead_to_the_service_is_refused(service: Path, wire: Wire, account: None) -> None:
    nowhere = "does not exist in account 000000000000"
    for given, happened, remedy in (
        ({"zone": NO_ZONE}, f"The hosted zone {NO_ZONE} of prod {nowhere}.", "hosted_zone_id"),
        ({"zone": zone()}, "of prod is private, and a certificate is validated from the internet.", "hosted_zone_id"),
        ({"zone": zone("ample.com")}, f"is that of ample.com, and {NAME} is no name in it.", "hosted_zone_id"),
        ({"zone": zone_with_a_record()}, f"{NAME} of prod has a record of the type CNAME in", "answer certificate_arn"),
        ({"certificate": NO_CERTIFICATE.format("0" * 12)}, f"of prod {nowhere}, us-east-1.", "certificate_arn"),
        ({"certificate": NO_CERTIFICATE.format("1" * 12)}, f"of prod {nowhere}, us-east-1.", "certificate_arn"),
        (
            {"certificate": certificate("example.com", f"*.{NAME}")},
            f"is for example.com, *.shop.example.com, and not for {NAME} of prod.",
            "certificate_arn",
        ),
        ({"certificate": certificate(NAME)}, "of prod has the status PENDING_VALIDATION", "Validate or renew it"),
    ):
        wire.touched.clear()
        if "is private" in happened:  # The lowest version of ministack forgets it.
            wire.touched["GetHostedZone"] = lambda found: found["HostedZone"]["Config"].update(PrivateZone=True)
        if "PENDING" in happened:
            wire.touched["DescribeCertificate"] = lambda found: found["Certificate"].update(Status="PENDING_VALIDATION")
        put(service, **given)
        wire.calls.clear()
        error = refusal(service, plan=True)
        assert happened in error.happened
        assert remedy in error.remedy
        assert untouched(service, wire)


def zone_with_a_record() -> str:
    found = zone()
    for name in (NAME, f"a.{NAME}", "a.example.com"):
        record = {"Name": name, "Type": "CNAME", "TTL": 60, "ResourceRecords": [{"Value": "elsewhere.example.net"}]}
        client("route53").change_resource_record_sets(
            HostedZoneId=found, ChangeBatch={"Changes": [{"Action": "CREATE", "ResourceRecordSet": record}]}
        )
    return found


def test_local_aws_has_no_zones_and_certificates_of_the_owner(service: Path) -> None:
    put(service, zone=NO_ZONE, certificate=NO_CERTIFICATE.format("1" * 12))
    run(service, plan=True)


def test_a_release_under_way_is_not_refused_for_its_own_record(service: Path, wire: Wire, account: None) -> None:
    put(service, zone=zone_with_a_record())
    release_stack(environment_stack(read(service).app_name, "prod", "domain"), PLACEHOLDER, Tags=tags(service))

    def busy(listed: dict[str, Any]) -> None:
        for one in listed["Stacks"]:
            one["StackStatus"] = "UPDATE_IN_PROGRESS"

    wire.touched["DescribeStacks"] = busy
    wire.calls.clear()
    run(service, plan=True)
    assert looked_up(wire) == set()
