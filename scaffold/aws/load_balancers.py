"""The deletion protection of load balancers, an attribute with which neither ELB nor CloudFormation deletes one."""

from __future__ import annotations

from scaffold.aws.cloudformation.stack_resources import physical_ids
from scaffold.aws.cloudformation.stacks import Stack
from scaffold.aws.errors import suppress_code
from scaffold.aws.session import Session

_TYPE = "AWS::ElasticLoadBalancingV2::LoadBalancer"
_ATTRIBUTE = "deletion_protection.enabled"


def protected(session: Session, stack: Stack) -> list[str]:
    """The ARNs of a stack's load balancers that are protected from deletion."""
    return [arn for arn, attribute in _attributes(session, stack).items() if attribute]


def unprotected(session: Session, stack: Stack) -> list[str]:
    """The ARNs of a stack's load balancers that are not protected from deletion."""
    return [arn for arn, attribute in _attributes(session, stack).items() if not attribute]


def protect(session: Session, arn: str) -> None:
    """Turn the protection of a load balancer on."""
    _set(session, arn, "true")


def unprotect(session: Session, arn: str) -> None:
    """Turn the protection of a load balancer off; one that is deleted already is no error."""
    with suppress_code("LoadBalancerNotFound"):
        _set(session, arn, "false")


def full_name(arn: str) -> str:
    """A load balancer as its ARN and its metrics name it."""
    return arn.partition(":loadbalancer/")[2]


def _set(session: Session, arn: str, value: str) -> None:
    attributes = [{"Key": _ATTRIBUTE, "Value": value}]
    session.client("elbv2").modify_load_balancer_attributes(LoadBalancerArn=arn, Attributes=attributes)


def _attributes(session: Session, stack: Stack) -> dict[str, bool]:
    """Whether the load balancers that exist have the attribute, by their ARNs."""
    found = {}
    for arn in physical_ids(session, stack.id, _TYPE):
        with suppress_code("LoadBalancerNotFound"):
            described = session.client("elbv2").describe_load_balancer_attributes(LoadBalancerArn=arn)["Attributes"]
            found[arn] = {"Key": _ATTRIBUTE, "Value": "true"} in described
    return found
