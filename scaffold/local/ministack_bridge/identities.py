"""Whose access keys ministack's IAM and STS have given out."""

from __future__ import annotations

from ministack.core.iam_evaluator import resolve_caller_identity
from ministack.core.responses import get_region, request_scope

from scaffold.local.protocol import ACCOUNT


def caller_arn(access_key: str) -> str:
    """The ARN of the user or role session with an access key; empty if there is none."""
    with request_scope(ACCOUNT, get_region()):
        found = resolve_caller_identity(access_key)
    return str(found["userArn"]) if found else ""
