"""The registry's scanning configuration, which belongs to the whole account: one probe changes it, and restores it."""

from __future__ import annotations

import time
from typing import Any

from .account import Account
from .state import State
from .verdicts import Unavailable

#: Kinds of records: what is restored, and what is disabled.
CONFIGURATION, INSPECTOR = "scanning configuration of the registry", "activation of Inspector"
# A minute, until all servers know a change.
_LOOKS, _PAUSE = 30, 2.0
_STILL_OWN = "the registry still has the scanning configuration of the run"


def rules(run: str) -> list[dict[str, Any]]:
    """The rules with which Inspector scans the repository of a run only."""
    return [{"scanFrequency": "SCAN_ON_PUSH", "repositoryFilters": [{"filter": run, "filterType": "WILDCARD"}]}]


def restore(account: Account, run: str, before: dict[str, Any]) -> None:
    """Restore the configuration of before a run, unless something else has changed it meanwhile.

    Raises:
        Unavailable: The registry still has the configuration of the run.
    """
    ecr, own = account.client("ecr"), rules(run)
    current = _configuration(account)
    # The old configuration may be read for a moment after its change.
    if current.get("rules") != own and current != before:
        return
    ecr.put_registry_scanning_configuration(**before)
    for _ in range(_LOOKS):
        if _configuration(account).get("rules") != own:
            return
        time.sleep(_PAUSE)
    raise Unavailable(_STILL_OWN)


def _configuration(account: Account) -> dict[str, Any]:
    found: dict[str, Any] = account.client("ecr").get_registry_scanning_configuration()["scanningConfiguration"]
    return found


def undo(account: Account, state: State) -> None:
    """Undo what the run has changed. What fails stays in the record, for the clean-up."""
    for kind in (CONFIGURATION, INSPECTOR):
        for resource in [one for one in state.resources if one.kind == kind]:
            if kind == CONFIGURATION:
                restore(account, state.run, resource.details)
            else:
                disable_inspector(account, state.run)
            state.forget(resource)


def inspects(account: Account) -> bool:
    """Whether Inspector is enabled for images."""
    (status,) = account.client("inspector2").batch_get_account_status(accountIds=[account.id])["accounts"]
    return bool(status["resourceState"]["ecr"]["status"] != "DISABLED")


def disable_inspector(account: Account, run: str) -> None:
    """Disable Inspector, which a run has enabled, unless another configuration of the registry uses it by now.

    Raises:
        Unavailable: The registry still has the configuration of the run.
    """
    current = _configuration(account)
    if current.get("rules") == rules(run):
        raise Unavailable(_STILL_OWN)
    if current["scanType"] != "ENHANCED" and inspects(account):
        account.client("inspector2").disable(resourceTypes=["ECR"])
