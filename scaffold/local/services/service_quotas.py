"""Emulates Service Quotas, which ministack lacks."""

from __future__ import annotations

from scaffold.local.protocol import AwsService, Call, Document


class ServiceQuotas(AwsService):
    """Quotas of an account that has none. ministack would read every API model of botocore before it refuses."""

    name = "service-quotas"
    invalid_input = "IllegalArgumentException"

    def list_service_quotas(self, call: Call) -> Document:  # noqa: ARG002
        """List no quotas."""
        return {"Quotas": []}
