"""Calls that CloudTrail has recorded."""

from __future__ import annotations

import json
from typing import Any

from .sandbox import Sandbox
from .verdicts import Unavailable, Undecided

# CloudTrail says that events arrive within 15 minutes.
_LONGEST, _LOCAL = 1200.0, 1.0


def calls(sandbox: Sandbox, source: str, caller: str, expected: str) -> list[dict[str, Any]]:
    """The calls of a role that changed something, once an expected one is among them.

    Args:
        source: The service, such as `elasticloadbalancing`.
        caller: The name of the role.

    Raises:
        Undecided: CloudTrail has recorded no such call.
    """

    def look() -> list[dict[str, Any]]:
        attributes = [{"AttributeKey": "EventName", "AttributeValue": expected}]
        if not _of(sandbox, attributes, caller):
            return []
        return _of(sandbox, [{"AttributeKey": "EventSource", "AttributeValue": f"{source}.amazonaws.com"}], caller)

    try:
        return sandbox.wait(look, "the arrival of events", _LOCAL if sandbox.account.local else _LONGEST)
    except Unavailable as late:
        raise Undecided(f"CloudTrail shows no call of {expected} by {caller}") from late


def _of(sandbox: Sandbox, attributes: list[dict[str, str]], caller: str) -> list[dict[str, Any]]:
    pages = (
        sandbox.client("cloudtrail")
        .get_paginator("lookup_events")
        .paginate(LookupAttributes=attributes, StartTime=sandbox.started)
    )
    events = [json.loads(one["CloudTrailEvent"]) for page in pages for one in page["Events"]]
    return [one for one in events if f"/{caller}/" in one["userIdentity"].get("arn", "") and not one.get("readOnly")]
