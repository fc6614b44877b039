"""Emulates Service Quotas, which ministack lacks, for an account whose quotas were raised beyond any need."""

from __future__ import annotations

from scaffold.local.protocol import AwsService, Call, Document, ServiceError

# Local AWS enforces no quota, so that no command may warn of one.
_VALUE = 10_000
# AWS's default values, as its documentation has them; new accounts may have less.
_DEFAULTS = {
    ("codebuild", "L-2DC20C30"): 1,
    ("codebuild", "L-4DDC4A99"): 1,
    ("codebuild", "L-596BEAB4"): 1,
    ("codebuild", "L-5ED1D25B"): 1,
    ("codebuild", "L-9D07B6EF"): 1,
    ("codebuild", "L-DF544FF3"): 1,
    ("dynamodb", "L-F98FE922"): 2500,
    ("ec2", "L-0263D0A3"): 5,
    ("elasticloadbalancing", "L-53DA6B97"): 50,
    ("fargate", "L-3032A538"): 6,
    ("fargate", "L-36FBB829"): 6,
    ("rds", "L-952B80B8"): 40,
    ("vpc", "L-F678F1CE"): 5,
    ("wafv2", "L-2EC3DE7B"): 100,
}


class ServiceQuotas(AwsService):
    """The quotas that `scaffold deploy` reads. Local AWS does not enforce them."""

    name = "service-quotas"
    invalid_input = "IllegalArgumentException"

    def get_service_quota(self, call: Call) -> Document:
        """Read a quota of the account."""
        _default(call)
        return _quota(call, _VALUE)

    def get_aws_default_service_quota(self, call: Call) -> Document:
        """Read the default value of a quota."""
        return _quota(call, _default(call))


def _default(call: Call) -> int:
    service, code = call.parameters["ServiceCode"], call.parameters["QuotaCode"]
    if (service, code) not in _DEFAULTS:
        raise ServiceError("NoSuchResourceException", f"Local AWS does not know the quota {service} {code}")
    return _DEFAULTS[service, code]


def _quota(call: Call, value: int) -> Document:
    return {"Quota": {name: call.parameters[name] for name in ("ServiceCode", "QuotaCode")} | {"Value": value}}
