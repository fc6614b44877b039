"""What IAM's simulation says of a caller's permissions. It calls nothing but IAM."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from scaffold.aws.session import Session

_ALLOWED, _DENIED = "allowed", "explicitDeny"
_ASSUMED = re.compile(r"arn:[\w-]+:sts::\d{12}:assumed-role/(?P<role>[^/]+)/.+")
_ENTITY = re.compile(r"arn:[\w-]+:iam::\d{12}:(user|role)/.+")


@dataclass(frozen=True)
class Question:
    """Actions on resources.

    Attributes:
        actions: Without wildcards, which the simulation does not take.
        context: Condition keys of the requests and their values.
    """

    actions: Sequence[str]
    resources: Sequence[str]
    context: Mapping[str, str | list[str]] = field(default_factory=dict)


@dataclass(frozen=True)
class Decision:
    """What the simulation says of one action.

    Attributes:
        allowed: On each of the resources.
        open: Whether a condition of a policy depends on a key that was not given, so that it may be allowed in fact.
    """

    action: str
    allowed: bool
    open: bool


def identity_of(session: Session) -> str | None:
    """The ARN of the user or role whose policies the caller has; None for what IAM does not simulate, such as root."""
    if _ENTITY.fullmatch(session.caller):
        return session.caller
    if assumed := _ASSUMED.fullmatch(session.caller):
        # The path of a role is not in the ARN of its session.
        return str(session.client("iam", attempts=2).get_role(RoleName=assumed["role"])["Role"]["Arn"])
    return None


def simulate(session: Session, identity: str, questions: Iterable[Question]) -> list[Decision]:
    """Ask IAM what the policies of a user or role allow, with permissions boundary and service control policies.

    Raises:
        ClientError: IAM denies the simulation.
    """
    pages = session.client("iam", attempts=2).get_paginator("simulate_principal_policy")
    return judge(
        result
        for one in questions
        for page in pages.paginate(PolicySourceArn=identity, **parameters(one))
        for result in page["EvaluationResults"]
    )


def parameters(question: Question) -> dict[str, Any]:
    """The parameters of a simulation that asks a question."""
    return {
        "ActionNames": list(question.actions),
        "ResourceArns": list(question.resources),
        "ContextEntries": [_entry(key, value) for key, value in question.context.items()],
    }


def judge(results: Iterable[Mapping[str, Any]]) -> list[Decision]:
    """What the results of simulations say of each action: it is allowed if it is on all resources."""
    found: dict[str, Decision] = {}
    for result in results:
        action, parts = result["EvalActionName"], result.get("ResourceSpecificResults", [])
        decisions = {result["EvalDecision"], *(part["EvalResourceDecision"] for part in parts)}
        allowed = decisions == {_ALLOWED}
        missing = any(part.get("MissingContextValues") for part in (result, *parts))
        lacks = missing and _DENIED not in decisions
        known = found.get(action, Decision(action, True, False))
        is_open = known.open if allowed else (known.open or known.allowed) and lacks
        found[action] = Decision(action, known.allowed and allowed, is_open)
    return list(found.values())


def _entry(key: str, value: str | list[str]) -> dict[str, Any]:
    values = value if isinstance(value, list) else [value]
    kind = "stringList" if isinstance(value, list) else "string"
    return {"ContextKeyName": key, "ContextKeyValues": values, "ContextKeyType": kind}
