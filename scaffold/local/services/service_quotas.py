"""Emulates Service Quotas, which ministack lacks, for an account in which no quota was ever changed."""

from __future__ import annotations

from scaffold.local.protocol import AwsService, Call, Document, ServiceError

# AWS's default values, as its documentation has them; new accounts may have less.
_DEFAULTS = {
    ("codebuild", "L-5ED1D25B"): 1,
    ("codebuild", "L-9D07B6EF"): 1,
    ("ec2", "L-0263D0A3"): 5,
    ("fargate", "L-3032A538"): 6,
    ("fargate", "L-36FBB829"): 6,
    ("vpc", "L-F678F1CE"): 5,
}


class ServiceQuotas(AwsService):
    """The default values of the quotas that `scaffold deploy` reads. Local AWS does not enforce them."""

    name = "service-quotas"
    invalid_input = "IllegalArgumentException"

    def get_service_quota(self, call: Call) -> Document:
        """Read a quota of the account: no quota has a value of its own."""
        raise ServiceError("NoSuchResourceException", f"{call.parameters['QuotaCode']} has its default value only")

    def get_aws_default_service_quota(self, call: Call) -> Document:
        """Read the default value of a quota."""
        service, code = call.parameters["ServiceCode"], call.parameters["QuotaCode"]
        if (service, code) not in _DEFAULTS:
            raise ServiceError("NoSuchResourceException", f"Local AWS does not know the quota {service} {code}")
        return {"Quota": {"ServiceCode": service, "QuotaCode": code, "Value": _DEFAULTS[service, code]}}
