"""AssumeRole: who may assume a role, by the role's trust policy and the caller's own permissions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from scaffold.iam.policies import Statement, as_list
from scaffold.local.permissions.sessions import Session
from scaffold.local.protocol import ACCOUNT


def trusting(statements: Iterable[Statement], caller: Session) -> list[Statement]:
    """The statements of a trust policy that are about a caller, as those of an identity-based policy."""
    return [{**one, "Resource": "*"} for one in statements if _is_principal(one.get("Principal", {}), caller)]


def _is_principal(given: str | Mapping[str, Any], caller: Session) -> bool:
    names = as_list(given) if isinstance(given, str) else as_list(given.get("AWS", []))
    account = {"*", ACCOUNT, f"arn:aws:iam::{ACCOUNT}:root"}
    return any(name in account or name in (caller.role_arn, caller.arn) for name in names)
