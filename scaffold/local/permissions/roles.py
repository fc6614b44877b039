"""The policies of a role, as IAM has them now."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from scaffold.iam.policies import Statement, allows_everything, as_list
from scaffold.local import ministack_bridge
from scaffold.local.protocol import ServiceError


@dataclass(frozen=True)
class Permissions:
    """What a role has.

    Attributes:
        identity: The statements of its inline and managed policies.
        boundary: Those of its permissions boundary, if it has one.
    """

    identity: list[Statement]
    boundary: list[Statement] | None

    @property
    def unlimited(self) -> bool:
        """Whether the role may make every call, whatever it is."""
        return all(map(allows_everything, [self.identity, *([] if self.boundary is None else [self.boundary])]))


class Roles:
    """The permissions of all roles, read again after each change in IAM and each reset. May be used from any thread."""

    def __init__(self) -> None:
        self._kept: dict[str, Permissions] = {}
        ministack_bridge.after_changes("iam", self._changed)
        ministack_bridge.after_iam_reset(self._changed)

    def _changed(self) -> None:
        self._kept = {}

    @staticmethod
    def trust_of(role_arn: str, region: str) -> list[Statement] | None:
        """The statements of a role's trust policy; None for a role that does not exist."""
        name = {"RoleName": role_arn.rpartition("/")[2]}
        try:
            found = ministack_bridge.call("iam", "GetRole", name, region)["GetRoleResult"]["Role"]
        except ServiceError:
            return None
        return _statements(found["AssumeRolePolicyDocument"]) if found["Arn"] == role_arn else None

    def permissions_of(self, role: str, region: str) -> Permissions:
        """The permissions of a role. One that does not exist has none."""
        # What was read before a change, and is stored after it, is stored where nothing is found any more.
        kept = self._kept
        found = kept.get(role)
        if found is None:
            found = kept[role] = _permissions_of(role, region)
        return found


def _permissions_of(role: str, region: str) -> Permissions:
    def call(operation: str, **parameters: str) -> Any:
        found = ministack_bridge.call("iam", operation, parameters, region)
        return found[f"{operation}Result"]

    def managed(arn: str) -> Iterator[Statement]:
        with suppress(ServiceError):  # It was deleted meanwhile.
            version = call("GetPolicy", PolicyArn=arn)["Policy"]["DefaultVersionId"]
            found = call("GetPolicyVersion", PolicyArn=arn, VersionId=version)
            yield from _statements(found["PolicyVersion"]["Document"])

    def inline() -> Iterator[Statement]:
        for name in call("ListRolePolicies", RoleName=role)["PolicyNames"] or []:
            yield from _statements(call("GetRolePolicy", RoleName=role, PolicyName=name)["PolicyDocument"])

    try:
        boundary = (call("GetRole", RoleName=role)["Role"].get("PermissionsBoundary") or {}).get(
            "PermissionsBoundaryArn"
        )
        attached = call("ListAttachedRolePolicies", RoleName=role)["AttachedPolicies"] or []
        identity = [*inline(), *(one for policy in attached for one in managed(policy["PolicyArn"]))]
    except ServiceError:
        return Permissions([], None)
    return Permissions(identity, list(managed(boundary)) if boundary else None)


def _statements(document: str) -> list[Statement]:
    found: list[Statement] = as_list(json.loads(unquote(document)).get("Statement", []))
    return found
