"""The IAM policies of the kit's roles. Its evaluator is the one with which local AWS checks the calls of roles."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from scaffold.iam.policies import Context, Request, refusal
from scaffold.iam.policies import Statement as Statement
from scaffold.iam.policies import matches as matches
from tests.infrastructure.stacks import Stack


def allowed(statements: Iterable[Statement], action: str, resource: str = "*", context: Context | None = None) -> bool:
    """Whether the statements of all policies together allow a call. Keys that the context lacks are not in it."""
    return not refusal(Request(action, resource, context or {}), statements)


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
    return found + stack.attached.get(properties.get("RoleName", ""), [])


def boundary_of(stack: Stack) -> list[Statement]:
    """The statements of the permissions boundary that a stack declares."""
    return list(stack.own_policies[stack.outputs["BoundaryArn"]])


def roles_of(stack: Stack) -> dict[str, dict[str, Any]]:
    """The roles of a stack by logical id."""
    return dict(stack.of_type("AWS::IAM::Role"))
