"""The calls for certificates, records and health checks of names.

Without the record that validates a certificate, which nothing validates here.
"""

from __future__ import annotations

from scaffold.local.permissions.provisioning.calls import ResourceCalls, Tagging

_CHANGE = "ChangeResourceRecordSets"
_ZONE = "arn:aws:route53:::hostedzone/{HostedZoneId}"

CALLS = {
    "AWS::CertificateManager::Certificate": ResourceCalls(
        "acm",
        "certificate/{id}",
        create="RequestCertificate",
        delete="""
            DescribeCertificate self
            DeleteCertificate self""",
        read="""
            DescribeCertificate self
            ListTagsForCertificate self""",
        tagging=Tagging("acm:AddTagsToCertificate self", "acm:RemoveTagsFromCertificate self"),
        keys={
            "acm:RequestCertificate": {"acm:DomainNames": "DomainName", "acm:ValidationMethod": "ValidationMethod"},
        },
        not_rehearsed=("CertificateAuthorityArn", "SubjectAlternativeNames"),
    ),
    "AWS::Route53::HealthCheck": ResourceCalls(
        "route53",
        "arn:aws:route53:::healthcheck/{id}",
        create="""
            CreateHealthCheck
            cloudwatch:DescribeAlarms""",
        update="""
            UpdateHealthCheck self
            cloudwatch:DescribeAlarms""",
        delete="DeleteHealthCheck self",
        read="""
            GetHealthCheck self
            ListTagsForResource self""",
        tagging=Tagging("route53:ChangeTagsForResource self", "route53:ChangeTagsForResource self"),
    ),
    "AWS::Route53::RecordSet": ResourceCalls(
        "route53",
        _ZONE,
        create=f"{_CHANGE} {_ZONE}",
        update=f"{_CHANGE} {_ZONE}",
        delete=f"{_CHANGE} {_ZONE}",
        read=f"""
            ListResourceRecordSets {_ZONE}
            GetChange arn:aws:route53:::change/*""",
        keys={
            f"route53:{_CHANGE}": {
                f"route53:{_CHANGE}NormalizedRecordNames": "Name",
                f"route53:{_CHANGE}RecordTypes": "Type",
            },
        },
    ),
}
