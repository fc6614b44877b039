"""Roles for what runs on local AWS."""

from __future__ import annotations

import json
from typing import Any

EVERYTHING = {"Effect": "Allow", "Action": "*", "Resource": "*"}


def policy(*statements: dict[str, Any]) -> str:
    """A policy document."""
    return json.dumps({"Version": "2012-10-17", "Statement": statements})


def create_roles(iam: Any, *names: str) -> None:
    """Create roles that may do everything."""
    for name in names:
        create_role(iam, name, EVERYTHING)


def create_role(iam: Any, name: str, *statements: dict[str, Any], boundary: dict[str, Any] | None = None) -> str:
    """Create a role with an inline policy, and return its ARN.

    Args:
        iam: A client.
        boundary: The statement of its permissions boundary.
    """
    trust = {"Effect": "Allow", "Principal": {"Service": "codebuild.amazonaws.com"}, "Action": "sts:AssumeRole"}
    made = iam.create_role(RoleName=name, AssumeRolePolicyDocument=policy(trust))
    iam.put_role_policy(RoleName=name, PolicyName="given", PolicyDocument=policy(*statements))
    if boundary:
        limit = iam.create_policy(PolicyName=f"{name}-boundary", PolicyDocument=policy(boundary))["Policy"]["Arn"]
        iam.put_role_permissions_boundary(RoleName=name, PermissionsBoundary=limit)
    return str(made["Role"]["Arn"])
