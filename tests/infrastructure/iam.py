"""A simulator of IAM policies: statements, wildcards and the condition operators that the kit uses."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from tests.infrastructure.stacks import Stack, as_list

Statement = Mapping[str, Any]
Context = Mapping[str, str | list[str]]


@functools.cache
def _expression(pattern: str) -> re.Pattern[str]:
    wildcards = {"*": ".*", "?": "."}
    return re.compile("".join(wildcards.get(part, re.escape(part)) for part in re.split(r"([*?])", pattern)), re.DOTALL)


def matches(pattern: str, value: str) -> bool:
    """Whether a pattern with IAM's wildcards covers a value."""
    return _expression(pattern).fullmatch(value) is not None


def _like(given: str, patterns: Any) -> bool:
    return any(matches(str(pattern), given) for pattern in as_list(patterns))


def _equals(given: str, values: Any) -> bool:
    return given in map(str, as_list(values))


# ArnEquals has wildcards too, and so is the same as ArnLike.
_COMPARISONS = {"ArnEquals": _like, "ArnLike": _like, "Bool": _equals, "StringEquals": _equals, "StringLike": _like}


def _meets(operator: str, given: Sequence[str], wanted: Any) -> bool:
    """Whether the values that a request has for a condition key meet one test of a condition.

    Args:
        operator: A condition operator, such as ForAnyValue:StringEquals.
        given: The values; none where the request lacks the key.
        wanted: The values or patterns of the policy.
    """
    if operator == "Null":
        return (not given) == (str(wanted).lower() == "true")
    if operator == "StringNotEquals":
        return not any(_equals(value, wanted) for value in given)
    several = operator.startswith("ForAnyValue:")
    assert several or len(given) <= 1, f"{operator} compares one value, the request has {given}"
    name = operator.removeprefix("ForAnyValue:")
    if name.endswith("IfExists") and not given:
        return True
    return any(_COMPARISONS[name.removesuffix("IfExists")](value, wanted) for value in given)


def _holds(conditions: Mapping[str, Mapping[str, Any]], context: Context) -> bool:
    return all(
        _meets(operator, as_list(context.get(key, [])), wanted)
        for operator, tests in conditions.items()
        for key, wanted in tests.items()
    )


def _applies(statement: Statement, action: str, resource: str, context: Context) -> bool:
    return (
        any(matches(pattern.lower(), action.lower()) for pattern in as_list(statement["Action"]))
        and any(matches(pattern, resource) for pattern in as_list(statement["Resource"]))
        and _holds(statement.get("Condition", {}), context)
    )


def allowed(statements: Iterable[Statement], action: str, resource: str = "*", context: Context | None = None) -> bool:
    """Whether the statements of all policies together allow a call.

    Args:
        statements: The statements of all policies together.
        action: The IAM action, such as ecs:CreateService.
        resource: The ARN of the resource.
        context: Condition keys and their values; several for a key such as aws:CalledVia.
    """
    applying = [statement for statement in statements if _applies(statement, action, resource, context or {})]
    return bool(applying) and all(statement["Effect"] == "Allow" for statement in applying)


def statements_of(stack: Stack, role: str) -> list[Statement]:
    """The statements of all policies of a role: inline, listed by the role, and attached by resources of their own."""
    found: list[Statement] = []
    properties = stack.resources[role]["Properties"]
    for policy in properties.get("Policies", []):
        found += policy["PolicyDocument"]["Statement"]
    policies = stack.policies | stack.own_policies
    for arn in properties.get("ManagedPolicyArns", []):
        found += policies.get(arn, [])
    for kind in ("AWS::IAM::ManagedPolicy", "AWS::IAM::Policy"):
        for logical, attached in stack.of_type(kind):
            if {"Ref": role} in stack.template["Resources"][logical]["Properties"].get("Roles", []):
                found += attached["PolicyDocument"]["Statement"]
    return found


def boundary_of(stack: Stack) -> list[Statement]:
    """The statements of the permissions boundary that a stack declares."""
    return list(stack.own_policies[stack.outputs["BoundaryArn"]])


def roles_of(stack: Stack) -> dict[str, dict[str, Any]]:
    """The roles of a stack by logical id."""
    return dict(stack.of_type("AWS::IAM::Role"))
