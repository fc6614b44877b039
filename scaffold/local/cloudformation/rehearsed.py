"""Refuses the resources of stacks that AWS would create, and that do nothing on a local AWS that runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from scaffold.engine.balancer.rehearsed import not_rehearsed as of_load_balancing
from scaffold.local import ministack_bridge
from scaffold.local.cloudformation.resource_types import handler_failure
from scaffold.local.ministack_bridge import Provisioning
from scaffold.local.protocol import Document
from scaffold.local.services.event_rules import missing_role
from scaffold.local.services.event_rules import not_rehearsed as of_targets

_ELB = "AWS::ElasticLoadBalancingV2"


def _of_project(given: Document) -> str:
    return "webhooks of a project" if (given.get("Triggers") or {}).get("Webhook") in (True, "true") else ""


_CHECKS: Mapping[str, Callable[[Document], str]] = {
    **{f"{_ELB}::{name}": of_load_balancing for name in ("LoadBalancer", "Listener", "ListenerRule", "TargetGroup")},
    "AWS::CodeBuild::Project": _of_project,
    "AWS::Events::Rule": lambda given: of_targets(given.get("Targets") or []),
}


def install() -> None:
    """Monkeypatch the check into ministack's CloudFormation."""
    ministack_bridge.wrap_provisioning(_provision)


def _provision(given: Provisioning, original: Callable[[], Any]) -> Any:
    check = _CHECKS.get(given.type)
    problem = check(given.new) if check and given.new is not None else ""
    if problem:
        raise handler_failure(f"not rehearsed: {problem}", "InvalidRequest")
    if given.type == "AWS::Events::Rule" and (problem := missing_role((given.new or {}).get("Targets") or [])):
        raise handler_failure(problem, "InvalidRequest")
    return original()
