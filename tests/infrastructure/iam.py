"""A simulator of IAM policies: statements, wildcards and the condition operators that the kit uses."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Mapping
from typing import Any

from tests.infrastructure.stacks import Stack, as_list

Statement = Mapping[str, Any]


@functools.cache
def _expression(pattern: str) -> re.Pattern[str]:
    wildcards = {"*": ".*", "?": "."}
    return re.compile("".join(wildcards.get(part, re.escape(part)) for part in re.split(r"([*?])", pattern)), re.DOTALL)


def matches(pattern: str, value: str) -> bool:
    """Whether a pattern with IAM's wildcards covers a value."""
    return _expression(pattern).fullmatch(value) is not None


def _holds(conditions: Mapping[str, Mapping[str, Any]], context: Mapping[str, str]) -> bool:
    for operator, tests in conditions.items():
        for key, wanted in tests.items():
            given = context.get(key)
            if operator == "StringEquals":
                good = given is not None and given in map(str, as_list(wanted))
            elif operator == "StringEqualsIfExists":
                good = given is None or given in map(str, as_list(wanted))
            elif operator == "StringNotEquals":
                good = given not in map(str, as_list(wanted))
            elif operator == "Null":
                good = (given is None) == (str(wanted).lower() == "true")
            elif operator == "Bool":
                good = given is not None and given == str(wanted).lower()
            else:
                raise ValueError(f"the condition operator {operator} is not implemented")
            if not good:
                return False
    return True


def _applies(statement: Statement, action: str, resource: str, context: Mapping[str, str]) -> bool:
    return (
        any(matches(pattern.lower(), action.lower()) for pattern in as_list(statement["Action"]))
        and any(matches(pattern, resource) for pattern in as_list(statement["Resource"]))
        and _holds(statement.get("Condition", {}), context)
    )


def allowed(
    statements: Iterable[Statement], action: str, resource: str = "*", context: Mapping[str, str] | None = None
) -> bool:
    """Whether the statements of all policies together allow a call.

    Args:
        statements: The statements of all policies together.
        action: The IAM action, such as ecs:CreateService.
        resource: The ARN of the resource.
        context: Condition keys and their values.
    """
    applying = [statement for statement in statements if _applies(statement, action, resource, context or {})]
    return bool(applying) and all(statement["Effect"] == "Allow" for statement in applying)


def statements_of(stack: Stack, role: str) -> list[Statement]:
    """The statements of a role's inline policies, including those of separate AWS::IAM::Policy resources."""
    found: list[Statement] = []
    for policy in stack.resources[role]["Properties"].get("Policies", []):
        found += policy["PolicyDocument"]["Statement"]
    for logical, properties in stack.of_type("AWS::IAM::Policy"):
        named = as_list(stack.template["Resources"][logical]["Properties"]["Roles"])
        if {"Ref": role} in named:
            found += properties["PolicyDocument"]["Statement"]
    return found


def boundary_of(stack: Stack) -> list[Statement]:
    """The statements of the permissions boundary; the stack is the foundation."""
    ((_, properties),) = stack.of_type("AWS::IAM::ManagedPolicy")
    statements: list[Statement] = properties["PolicyDocument"]["Statement"]
    return statements


def roles_of(stack: Stack) -> dict[str, dict[str, Any]]:
    """The roles of a stack by logical id."""
    return dict(stack.of_type("AWS::IAM::Role"))
