"""The registry's scanning configuration, which belongs to the whole account: one probe changes it, and restores it."""

from __future__ import annotations

from typing import Any

from .account import Account
from .state import State

#: Kinds of records: what is restored, and what is disabled.
CONFIGURATION, INSPECTOR = "scanning configuration of the registry", "activation of Inspector"


def rules(run: str) -> list[dict[str, Any]]:
    """The rules with which Inspector scans the repository of a run only."""
    return [{"scanFrequency": "SCAN_ON_PUSH", "repositoryFilters": [{"filter": run, "filterType": "WILDCARD"}]}]


def restore(account: Account, run: str, before: dict[str, Any]) -> None:
    """Restore the configuration of before a run, unless something else has changed it meanwhile."""
    ecr = account.client("ecr")
    if ecr.get_registry_scanning_configuration()["scanningConfiguration"].get("rules") == rules(run):
        ecr.put_registry_scanning_configuration(**before)


def undo(account: Account, state: State) -> None:
    """Undo what the run has changed. What fails stays in the record, for the clean-up."""
    for kind in (CONFIGURATION, INSPECTOR):
        for resource in [one for one in state.resources if one.kind == kind]:
            if kind == CONFIGURATION:
                restore(account, state.run, resource.details)
            else:
                disable_inspector(account)
            state.forget(resource)


def inspects(account: Account) -> bool:
    """Whether Inspector is enabled for images."""
    (status,) = account.client("inspector2").batch_get_account_status(accountIds=[account.id])["accounts"]
    return bool(status["resourceState"]["ecr"]["status"] != "DISABLED")


def disable_inspector(account: Account) -> None:
    """Disable Inspector, which a run has enabled, unless the registry's configuration uses it by now."""
    configuration = account.client("ecr").get_registry_scanning_configuration()["scanningConfiguration"]
    if configuration["scanType"] != "ENHANCED" and inspects(account):
        account.client("inspector2").disable(resourceTypes=["ECR"])
