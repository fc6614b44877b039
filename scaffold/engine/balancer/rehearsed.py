"""What of a load balancer, listener, rule or target group is not rehearsed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

Document = Mapping[str, Any]

_ACTIONS = ("fixed-response", "forward", "redirect")
_VALUES: dict[str, tuple[str, ...]] = {
    "HealthCheckProtocol": ("HTTP",),
    "Protocol": ("HTTP",),
    "ProtocolVersion": ("HTTP1",),
    "TargetType": ("instance", "ip"),
    "Type": ("application",),
}
# The attributes of target groups, with their values; None for every value.
_ATTRIBUTES: dict[str, tuple[str, ...] | None] = {
    "deregistration_delay.timeout_seconds": None,
    "load_balancing.algorithm.type": ("round_robin",),
    "load_balancing.cross_zone.enabled": None,
    "slow_start.duration_seconds": ("0",),
    "stickiness.app_cookie.cookie_name": None,
    "stickiness.app_cookie.duration_seconds": None,
    "stickiness.enabled": ("false",),
    "stickiness.lb_cookie.duration_seconds": None,
    "stickiness.type": None,
}


def not_rehearsed(given: Document) -> str:
    """The first thing that is not rehearsed; empty for none.

    Args:
        given: The input of an operation of ELB's API that creates or changes one, or its properties in a template.
    """
    return next(_problems(given), "")


def _problems(given: Document) -> Iterator[str]:
    listener = "DefaultActions" in given or "ListenerArn" in given
    for key, allowed in (_VALUES | {"Protocol": ("HTTP", "HTTPS")} if listener else _VALUES).items():
        if key in given and given[key] not in allowed:
            yield f"{key} {given[key]} of ELB"
    if given.get("Transforms"):
        yield "Transforms of ELB"
    for action in [*(given.get("DefaultActions") or []), *(given.get("Actions") or [])]:
        if action.get("Type") not in _ACTIONS:
            yield f"the action {action.get('Type')} of ELB"
        stickiness = (action.get("ForwardConfig") or {}).get("TargetGroupStickinessConfig") or {}
        if str(stickiness.get("Enabled", False)).lower() == "true":
            yield "TargetGroupStickinessConfig of ELB"
    for attribute in [*(given.get("Attributes") or []), *(given.get("TargetGroupAttributes") or [])]:
        key, value = str(attribute.get("Key")), str(attribute.get("Value"))
        if key not in _ATTRIBUTES or value.lower() not in (_ATTRIBUTES[key] or [value.lower()]):
            yield f"the target group attribute {key} {value}"
