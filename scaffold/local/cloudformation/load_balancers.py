"""The deletion protection of load balancers, which ministack stores and does not heed."""

from __future__ import annotations

from scaffold.local import ministack_bridge
from scaffold.local.cloudformation.resource_types import Failed
from scaffold.local.ministack_bridge import Delete, Handler
from scaffold.local.protocol import Document, ServiceError
from scaffold.local.wire import Response, parameter

_CODE = "OperationNotPermitted"


def install() -> None:
    """Monkeypatch the protection into ministack's Elastic Load Balancing and CloudFormation."""
    ministack_bridge.wrap_action("elbv2", "DeleteLoadBalancer", _call)
    ministack_bridge.wrap_delete("AWS::ElasticLoadBalancingV2::LoadBalancer", _delete)


def _call(parameters: Document, original: Handler) -> Response:
    arn = parameter(parameters, "LoadBalancerArn")
    return (
        ministack_bridge.elb_error(_CODE, _message(arn)) if ministack_bridge.is_protected(arn) else original(parameters)
    )


def _delete(identifier: str, properties: Document, original: Delete) -> None:
    if ministack_bridge.is_protected(identifier):
        raise Failed("ElasticLoadBalancingV2", ServiceError(_CODE, _message(identifier)))
    original(identifier, properties)


def _message(arn: str) -> str:
    return f"Load balancer '{arn}' cannot be deleted because deletion protection is enabled"
