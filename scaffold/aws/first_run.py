"""What would stop the first run of a new pipeline, asked before it does."""

from __future__ import annotations

from botocore.exceptions import BotoCoreError, ClientError

from scaffold.aws.session import Account

# Quotas that new accounts may have at zero and that only show once the pipeline runs: code, name, what stops.
_FIRST_RUN = (
    ("codebuild", "Concurrently running builds for Linux/Small environment", "builds"),
    ("fargate", "Fargate On-Demand vCPU resource count", "tasks"),
)


def missing_quotas(account: Account) -> list[str]:
    """Quotas at zero that would stop the pipeline's first run; empty when none are, or when nobody may look.

    Args:
        account: The account about to get its first pipeline.
    """
    missing: list[str] = []
    for code, name, stops in _FIRST_RUN:
        try:
            client = account.client("service-quotas", attempts=1)
            pages = client.get_paginator("list_service_quotas").paginate(ServiceCode=code)
            quota = next((q for page in pages for q in page["Quotas"] if q["QuotaName"] == name), None)
        except (BotoCoreError, ClientError):
            # Looking is a courtesy: the deployment itself needs neither the permission nor the answer.
            return missing
        if quota is not None and quota["Value"] < 1:
            missing.append(
                f"This account may run no {stops} yet: its quota “{name}” is {quota['Value']:g}. "
                "Ask for more in the Service Quotas console, or the pipeline's first run will fail."
            )
    return missing
