"""IAM's grammar of policy documents, without the names of actions, resources and condition keys."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from scaffold.local.protocol import Document

_SYNTAX = "Syntax errors in policy."
_VERSIONS = ("2008-10-17", "2012-10-17")
_TOP = {"Version", "Id", "Statement"}
_STATEMENT = {"Sid", "Effect", "Action", "NotAction", "Resource", "NotResource", "Condition"}
_PRINCIPALS = {"AWS", "Service", "Federated", "CanonicalUser"}
_OPERATORS = {
    *("StringEquals", "StringNotEquals", "StringEqualsIgnoreCase", "StringNotEqualsIgnoreCase"),
    *("StringLike", "StringNotLike", "BinaryEquals", "Bool", "IpAddress", "NotIpAddress"),
    *("ArnEquals", "ArnNotEquals", "ArnLike", "ArnNotLike"),
    *(
        f"{kind}{comparison}"
        for kind in ("Numeric", "Date")
        for comparison in ("Equals", "NotEquals", "LessThan", "LessThanEquals", "GreaterThan", "GreaterThanEquals")
    ),
}


def identity_problem(text: str, *, managed: bool) -> str | None:
    """What IAM's API says against the document of an identity-based policy, or None."""
    document = _parsed(text)
    statements = _statements(document)
    if document is None or statements is None or not all(map(_is_statement, statements)):
        return _SYNTAX
    if any("Principal" in one or "NotPrincipal" in one for one in statements):
        return "Policy document should not specify a principal."
    if any(set(one) - _STATEMENT for one in statements):
        return _SYNTAX
    if managed and document.get("Version") != _VERSIONS[-1]:
        return "Policy document must be version 2012-10-17 or greater."
    return next(_identity_problems(statements), None)


def trust_problem(text: str) -> str | None:
    """What IAM's API says against the document of a role's trust policy, or None."""
    document = _parsed(text)
    if document is None:
        return "This policy contains invalid Json"
    statements = _statements(document)
    if statements is None or not all(map(_is_statement, statements)):
        return _SYNTAX
    return next(_trust_problems(statements), None)


def _identity_problems(statements: list[Document]) -> Iterator[str]:
    sids = [one["Sid"] for one in statements if one.get("Sid")]
    if len(sids) != len(set(sids)):
        yield "Statement IDs (SID) in a single policy must be unique."
    for statement in statements:
        actions, resources = (_listed(statement, key, f"Not{key}") for key in ("Action", "Resource"))
        if not actions:
            yield "Policy statement must contain actions."
        if not resources:
            yield "Policy statement must contain resources."
        for action in actions:
            if action != "*" and ":" not in action:
                yield "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc."
            if action.count(":") > 1:
                yield "Actions/Condition can contain only one colon."
        for resource in resources:
            if resource != "*" and ":" not in resource:
                yield f'Resource {resource} must be in ARN format or "*".'


def _trust_problems(statements: list[Document]) -> Iterator[str]:
    for statement in statements:
        for prohibited in ("Resource", "NotResource"):
            if prohibited in statement:
                yield f"Has prohibited field {prohibited}"
        if set(statement) - _STATEMENT - {"Principal", "NotPrincipal"}:
            yield _SYNTAX
        principal = statement.get("Principal", statement.get("NotPrincipal"))
        if not principal:
            yield "Missing required field Principal"
        elif principal != "*" and not (isinstance(principal, dict) and set(principal) <= _PRINCIPALS):
            yield _SYNTAX
        if not all(action.startswith("sts:") for action in _listed(statement, "Action", "NotAction")):
            yield "AssumeRole policy may only specify STS AssumeRole actions."


def _parsed(text: str) -> Document | None:
    try:
        document = json.loads(text)
    except ValueError:
        return None
    return document if isinstance(document, dict) else None


def _statements(document: Document | None) -> list[Any] | None:
    """A document's statements, or None if the document is not well-formed."""
    if document is None or set(document) - _TOP or document.get("Version", _VERSIONS[0]) not in _VERSIONS:
        return None
    statements = document.get("Statement")
    if isinstance(statements, dict):
        return [statements]
    return statements if isinstance(statements, list) and statements else None


def _is_statement(statement: Any) -> bool:
    """Whether a statement is well-formed."""
    return (
        isinstance(statement, dict)
        and statement.get("Effect") in ("Allow", "Deny")
        and isinstance(statement.get("Sid", ""), str)
        and not {"Action", "NotAction"} <= set(statement)
        and not {"Resource", "NotResource"} <= set(statement)
        and all(map(_is_texts, (statement.get(key, "") for key in ("Action", "NotAction", "Resource", "NotResource"))))
        and _is_condition(statement.get("Condition", {}))
    )


def _is_condition(condition: Any) -> bool:
    return isinstance(condition, dict) and all(
        isinstance(keys, dict)
        and (not keys or _is_operator(operator))
        and all(isinstance(item, (str, bool, int, float)) for value in keys.values() for item in _as_list(value))
        for operator, keys in condition.items()
    )


def _is_operator(operator: str) -> bool:
    if operator == "Null":
        return True
    quantifier, _, quantified = operator.partition(":")
    if quantifier in ("ForAnyValue", "ForAllValues"):
        operator = quantified
    return operator.removesuffix("IfExists") in _OPERATORS


def _is_texts(value: Any) -> bool:
    return all(isinstance(item, str) for item in _as_list(value))


def _listed(statement: Document, *keys: str) -> list[str]:
    return [item for key in keys if key in statement for item in _as_list(statement[key]) if item]


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
