"""Who has approved a release while its tasks ran, as `scaffold approve` has signed it.

ECS does not say who has decided. A caller can write one object below releases/NAME/approvals/ENVIRONMENT/: the one with
the id of the caller, which IAM compares.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from approvals import actions
from release_record import find, listed, timestamp

UNKNOWN = (
    "While the tasks ran, somebody let the traffic shift without `scaffold approve`."
    " CloudTrail has who called ContinueServiceDeployment."
)


def running_approval(app: str, bucket: str, release: str, environment: str, execution: str) -> dict[str, Any] | None:
    """Who approved a release while its tasks ran, and when; None if ECS waited for nobody.

    Raises:
        Problem: The actions of the execution or the signatures cannot be read.
    """
    stage = f"{environment[:1].upper()}{environment[1:]}"
    runs = [one for one in actions(app, execution) if one.get("stageName") == stage]
    gates = [one.get("output", {}).get("outputVariables", {}) for one in runs if one["actionName"] == "StrategyGate"]
    if not gates or gates[0].get("PAUSE_MINUTES", "0") == "0":
        return None
    # What was approved before a failure was taken back afterwards, by an alarm or by somebody else.
    failed = [one for one in runs if (one["actionName"], one["status"]) == ("Service", "Failed")]
    since = max((datetime.fromisoformat(one["lastUpdateTime"]) for one in failed), default=None)
    folder = f"releases/{release}/approvals/{environment}/"
    signed = ((datetime.fromisoformat(one["LastModified"]), one["Key"]) for one in listed(bucket, folder))
    for at, key in sorted(signed, reverse=True):
        if since and at <= since:
            break
        by = (find(bucket, key) or {}).get("by")
        if by and _fits(key.removeprefix(folder).removesuffix(".json"), by):
            return {"by": by, "message": None, "at": timestamp(at)}
    return {"by": None, "message": UNKNOWN, "at": None}


def _fits(user: str, by: str) -> bool:
    """Whether the id of a caller is that of an ARN, as far as the two tell: a session has its name in both."""
    _, separator, session = user.partition(":")
    return "/" not in user and (not separator or (":assumed-role/" in by and by.endswith(f"/{session}")))
