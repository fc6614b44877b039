"""Quotas that would stop the first run of a new pipeline."""

from __future__ import annotations

from dataclasses import dataclass

from botocore.exceptions import BotoCoreError, ClientError

from scaffold.aws.session import Session

# Quotas that may be zero in new accounts and that fail only when the pipeline runs: service code, name.
_QUOTAS = (
    ("codebuild", "Concurrently running builds for Linux/Small environment"),
    ("fargate", "Fargate On-Demand vCPU resource count"),
)


@dataclass(frozen=True)
class Quota:
    """A service quota and its value in the account."""

    service: str
    name: str
    value: float


def exhausted_quotas(session: Session) -> tuple[Quota, ...]:
    """Quotas below one that would stop the pipeline's first run; none without the permission to read them."""
    found: list[Quota] = []
    for code, name in _QUOTAS:
        try:
            client = session.client("service-quotas", attempts=1)
            pages = client.get_paginator("list_service_quotas").paginate(ServiceCode=code)
            quota = next((q for page in pages for q in page["Quotas"] if q["QuotaName"] == name), None)
        except (BotoCoreError, ClientError):
            # The deployment itself needs neither the permission nor the answer.
            return tuple(found)
        if quota is not None and quota["Value"] < 1:
            found.append(Quota(code, name, quota["Value"]))
    return tuple(found)
