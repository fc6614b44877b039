"""The listener rule for HTTPS of an environment: that of its domain, also of one that the answers have given up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from aws_cli import Denied, Problem
from deployed_stacks import read


@dataclass(frozen=True)
class HttpsRule:
    """The rule of a domain that was released.

    Attributes:
        stack: The name of its stack.
        weights: Those with which it was created, of the target group and of the alternate one.
        named: Whether the service names it as its production rule, so that ECS changes its weights.
    """

    stack: str
    arn: str
    weights: tuple[str, str]
    named: bool


def find(app: str, environment: str) -> HttpsRule | None:
    """The rule of an environment; None if it has no domain, or one that was not released yet.

    Raises:
        Problem: CloudFormation returns an error, or does not answer.
    """
    stack = f"{app}-{environment}-domain"
    try:
        outputs, parameters = _read(stack)
    except Denied:
        # This build may read whatever has the tag of the service, and so there is no stack.
        return None
    rule = outputs.get("ProductionRuleArn")
    if not rule:
        return None
    named, _ = _read(f"{app}-{environment}-service")
    weights = parameters.get("PrimaryWeight", ""), parameters.get("AlternateWeight", "")
    return HttpsRule(stack, rule, weights, named.get("ProductionRuleArn") == rule)


def _read(stack: str) -> tuple[dict[str, str], dict[str, str]]:
    """The outputs and the parameters of a stack; none if it does not exist."""
    described = read("describe-stacks", stack)
    if described is None:
        return {}, {}
    try:
        (found,) = described["Stacks"]
        return _pairs(found.get("Outputs", []), "Output"), _pairs(found.get("Parameters", []), "Parameter")
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        message = f"`aws cloudformation describe-stacks` returned no description of {stack}; retry the stage"
        raise Problem(message) from error


def _pairs(listed: list[dict[str, Any]], what: str) -> dict[str, str]:
    return {one[f"{what}Key"]: str(one.get(f"{what}Value", "")) for one in listed}
