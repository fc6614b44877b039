"""Hosted zones for the records of stacks: they are the owner's, and a local AWS is empty when it starts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from scaffold.local import ministack_bridge
from scaffold.local.ministack_bridge import Provisioning

_RECORD = "AWS::Route53::RecordSet"


def install() -> None:
    """Let a record find its hosted zone."""
    ministack_bridge.wrap_provisioning(_provision)


def _provision(given: Provisioning, original: Callable[[], Any]) -> Any:
    if given.type == _RECORD and given.new is not None and given.new.get("HostedZoneId"):
        # The names of all environments have these labels, so that each fits into the zone.
        labels = str(given.new.get("Name", "")).rstrip(".").split(".")[-2:]
        ministack_bridge.add_hosted_zone(str(given.new["HostedZoneId"]), ".".join(labels))
    return original()
