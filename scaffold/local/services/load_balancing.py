"""Load balancers of local AWS that answer: their addresses, their configuration, the health of their targets."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any
from xml.sax.saxutils import escape

from scaffold.engine.balancer.balancers import Balancers
from scaffold.engine.balancer.configuration import Address, read
from scaffold.engine.balancer.health import TargetHealth
from scaffold.engine.balancer.rehearsed import not_rehearsed
from scaffold.local import ministack_bridge
from scaffold.local.ministack_bridge import Handler
from scaffold.local.protocol import Document, service_model
from scaffold.local.wire import Response, input_of, parameter

_TYPES = ("LoadBalancer", "Listener", "ListenerRule", "TargetGroup")
_ACTIONS = (
    *(f"{verb}{noun}" for verb in ("Create", "Modify", "Delete") for noun in ("Listener", "Rule", "TargetGroup")),
    "DeleteLoadBalancer",
    "DeregisterTargets",
    "ModifyTargetGroupAttributes",
    "RegisterTargets",
    "SetRulePriorities",
)
_NOT_REGISTERED = TargetHealth("unused", "Target.NotRegistered", "Target is not registered to the target group")


class LoadBalancing:
    """Tells the load balancers what is configured."""

    def __init__(self, balancers: Balancers) -> None:
        self._balancers = balancers
        self._lock = threading.Lock()

    def install(self) -> None:
        """Monkeypatch ministack's Elastic Load Balancing, its API and its resource types."""
        ministack_bridge.keep_weights()
        ministack_bridge.tag_listener_rules()
        ministack_bridge.wrap_output_values(self._reachable)
        for name in _TYPES:
            ministack_bridge.wrap_changes(f"AWS::ElasticLoadBalancingV2::{name}", self._change)
        for action in _ACTIONS:
            ministack_bridge.wrap_action("elbv2", action, self._call)
        ministack_bridge.wrap_action("elbv2", "CreateLoadBalancer", self._create_load_balancer)
        ministack_bridge.wrap_action("elbv2", "DescribeTargetHealth", self._describe_target_health)

    def _reachable(self, resources: list[str], value: str) -> str:
        """The address of a stack's HTTPS listener for the URL of its name, which nothing resolves here."""
        if not value.startswith("https://"):
            return value
        protocols = {one["ListenerArn"]: one["Protocol"] for one in ministack_bridge.listener_records()}
        ports = [self._balancers.listener_port(arn) for arn in resources if protocols.get(arn) == "HTTPS"]
        return f"http://127.0.0.1:{ports[0]}" if ports and ports[0] else value

    def _change(self, original: Callable[[], Any]) -> Any:
        """Create, update or delete a resource of a stack. A load balancer's attributes get its address."""
        made = original()
        self._apply()
        if isinstance(made, tuple) and "DNSName" in made[1]:
            made[1]["DNSName"] = ministack_bridge.load_balancer_records()[made[0]]["DNSName"]
        return made

    def _call(self, parameters: Document, original: Handler) -> Response:
        if refusal := _refusal(parameters):
            return refusal
        response = original(parameters)
        self._apply()
        return response

    def _create_load_balancer(self, parameters: Document, original: Handler) -> Response:
        if refusal := _refusal(parameters):
            return refusal
        before = ministack_bridge.load_balancer_records()
        status, headers, body = original(parameters)
        names = {a: r["DNSName"] for a, r in ministack_bridge.load_balancer_records().items() if a not in before}
        self._apply()
        for arn, name in names.items():
            address = ministack_bridge.load_balancer_records()[arn]["DNSName"]
            body = body.replace(name.encode(), address.encode())
        return status, headers, body

    def _apply(self) -> None:
        with self._lock:
            balancers = ministack_bridge.load_balancer_records()
            for arn, record in balancers.items():
                record["DNSName"] = f"127.0.0.1:{self._balancers.reserve(arn)}"
            configuration = read(
                balancers.values(),
                ministack_bridge.listener_records(),
                ministack_bridge.rule_records(),
                ministack_bridge.target_group_records(),
            )
            self._balancers.configure(ministack_bridge.get_region(), configuration)

    def _describe_target_health(self, parameters: Document, original: Handler) -> Response:
        response = original(parameters)
        if response[0] >= 400:
            return response
        known = self._balancers.health(parameter(parameters, "TargetGroupArn"))
        wanted = _targets(parameters)
        found = [(a, h) for a, h in sorted(known.items()) if not wanted or a[0] in wanted]
        absent = [((ip, port), _NOT_REGISTERED) for ip, port in wanted.items() if ip not in {a[0] for a, _ in found}]
        members = "".join(_member(address, health) for address, health in [*found, *absent])
        content = f"<TargetHealthDescriptions>{members}</TargetHealthDescriptions>"
        return ministack_bridge.elb_response("DescribeTargetHealth", content)


def _refusal(parameters: Document) -> Response | None:
    """The answer to a call for something that is not rehearsed."""
    shape = service_model("elbv2").operation_model(parameter(parameters, "Action")).input_shape
    problem = not_rehearsed(input_of(parameters, shape)) if shape else ""
    return ministack_bridge.elb_error("InvalidConfigurationRequest", f"not rehearsed: {problem}") if problem else None


def _targets(parameters: Document) -> dict[str, int]:
    """The IP addresses that a request names, with their ports."""
    found: dict[str, int] = {}
    while identifier := parameter(parameters, f"Targets.member.{len(found) + 1}.Id"):
        found[identifier] = int(parameter(parameters, f"Targets.member.{len(found) + 1}.Port") or 0)
    return found


def _member(address: Address, health: TargetHealth) -> str:
    details = f"<State>{health.state}</State>"
    if health.reason:
        details += f"<Reason>{health.reason}</Reason><Description>{escape(health.description)}</Description>"
    target = f"<Id>{address[0]}</Id><Port>{address[1]}</Port>"
    port = f"<HealthCheckPort>{address[1]}</HealthCheckPort>"
    return f"<member><Target>{target}</Target>{port}<TargetHealth>{details}</TargetHealth></member>"
