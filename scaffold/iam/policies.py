"""Evaluates IAM policies: statements, wildcards, policy variables and conditions, within one account.

What it cannot evaluate, it reports: the key of a condition that a request leaves open, or an unknown operator.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Statement = Mapping[str, Any]
Context = Mapping[str, str | list[str]]

_VARIABLE = re.compile(r"\$\{([^}]*)\}")
_CHARACTERS = {"*": "[*]", "?": "[?]", "$": "$"}


class NotEvaluated(Exception):
    """A decision depends on something that is not evaluated. The text names it."""


@dataclass(frozen=True)
class Request:
    """A call that needs a permission.

    Attributes:
        action: The IAM action, such as ecs:CreateService.
        resource: The ARN of the resource.
        context: Condition keys and their values; several for a key such as aws:CalledVia.
        unknown: Whether the request has an unknown value for a condition key, given in lower case. Other keys that the
            context lacks are not in the request.
    """

    action: str
    resource: str = "*"
    context: Context = field(default_factory=dict)
    unknown: Callable[[str], bool] = lambda _: False

    def values(self, key: str) -> list[str]:
        """The values of a condition key.

        Raises:
            NotEvaluated: They are unknown.
        """
        wanted = key.lower()
        for name, value in self.context.items():
            if name.lower() == wanted:
                return as_list(value)
        if self.unknown(wanted):
            raise NotEvaluated(f"the condition key {key}")
        return []


def as_list(value: Any) -> list[Any]:
    """A value of a policy, which may be a single one or a list, as a list."""
    return value if isinstance(value, list) else [value]


def refusal(request: Request, identity: Iterable[Statement], boundary: Iterable[Statement] | None = None) -> str:
    """Why a call is denied, in the words that AWS adds to its message; an empty text if it is allowed.

    Args:
        identity: The statements of all policies of the role.
        boundary: Those of its permissions boundary, if it has one.

    Raises:
        NotEvaluated: The decision depends on something that is not evaluated.
    """
    layers = [("an identity-based policy", list(identity))]
    if boundary is not None:
        layers.append(("a permissions boundary", list(boundary)))
    for name, statements in layers:
        if _some("Deny", statements, request):
            return f"with an explicit deny in {name}"
    for name, statements in layers:
        if not _some("Allow", statements, request):
            return f"because no {name.partition(' ')[2]} allows the {request.action} action"
    return ""


def allows_everything(statements: Sequence[Statement]) -> bool:
    """Whether statements allow every call without having to know it: one allows all, and none denies anything."""
    unconditional = [one for one in statements if not one.get("Condition")]
    return all(one["Effect"] == "Allow" for one in statements) and any(
        "*" in as_list(one.get("Action", [])) and "*" in as_list(one.get("Resource", [])) for one in unconditional
    )


@functools.cache
def _expression(pattern: str) -> re.Pattern[str]:
    wildcards = {"*": ".*", "?": ".", "[*]": re.escape("*"), "[?]": re.escape("?")}
    parts = re.split(r"(\[\*\]|\[\?\]|[*?])", pattern)
    return re.compile("".join(wildcards.get(part, re.escape(part)) for part in parts), re.DOTALL)


def matches(pattern: str, value: str) -> bool:
    """Whether a pattern with IAM's wildcards covers a value."""
    return _expression(pattern).fullmatch(value) is not None


def _some(effect: str, statements: Iterable[Statement], request: Request) -> bool:
    """Whether a statement with an effect applies. One that applies decides, whatever others leave open."""
    left_open: NotEvaluated | None = None
    for statement in statements:
        if statement["Effect"] == effect:
            try:
                if _applies(statement, request):
                    return True
            except NotEvaluated as error:
                left_open = left_open or error
    if left_open:
        raise left_open
    return False


def _applies(statement: Statement, request: Request) -> bool:
    action = request.action.lower()
    return (
        _covers(statement, "Action", lambda pattern: matches(pattern.lower(), action))
        and _covers(statement, "Resource", lambda pattern: matches(_with_variables(pattern, request), request.resource))
        and _holds(statement.get("Condition", {}), request)
    )


def _covers(statement: Statement, element: str, match: Callable[[str], bool]) -> bool:
    """Whether an element of a statement, or its negation such as NotAction, covers a request."""
    if element in statement:
        return any(map(match, as_list(statement[element])))
    return not any(map(match, as_list(statement[f"Not{element}"])))


def _with_variables(text: str, request: Request) -> str:
    def value(found: re.Match[str]) -> str:
        name, _, default = found[1].partition(",")
        if name in _CHARACTERS:
            return _CHARACTERS[name]
        values = request.values(name.strip())
        if len(values) > 1 or not (values or default):
            raise NotEvaluated(f"the policy variable {found[0]}")
        return values[0] if values else default.strip().strip("'")

    return _VARIABLE.sub(value, text)


def _holds(conditions: Mapping[str, Mapping[str, Any]], request: Request) -> bool:
    """Whether all conditions are met. One that is not met decides, whatever others leave open."""
    left_open: NotEvaluated | None = None
    for operator, tests in conditions.items():
        for key, wanted in tests.items():
            try:
                values = [_with_variables(_text(one), request) for one in as_list(wanted)]
                if not _meets(operator, request.values(key), values):
                    return False
            except NotEvaluated as error:
                left_open = left_open or error
    if left_open:
        raise left_open
    return True


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _like(given: str, pattern: str) -> bool:
    return matches(pattern, given)


# ArnEquals has wildcards too, and so is the same as ArnLike.
_COMPARISONS: dict[str, Callable[[str, str], bool]] = {
    "ArnEquals": _like,
    "ArnLike": _like,
    "Bool": lambda given, wanted: given.lower() == wanted.lower(),
    "StringEquals": lambda given, wanted: given == wanted,
    "StringEqualsIgnoreCase": lambda given, wanted: given.lower() == wanted.lower(),
    "StringLike": _like,
}


def _meets(operator: str, given: Sequence[str], wanted: Sequence[str]) -> bool:
    """Whether the values that a request has for a condition key meet one test of a condition.

    Args:
        operator: A condition operator, such as ForAnyValue:StringEquals.
        given: The values; none where the request lacks the key.
        wanted: The values or patterns of the policy.
    """
    if operator == "Null":
        return (not given) == (wanted[0].lower() == "true")
    quantifier, _, name = operator.rpartition(":")
    base = name.removesuffix("IfExists")
    negated = "Not" in base
    compare = _COMPARISONS.get(base.replace("Not", "", 1))
    if compare is None or quantifier not in ("", "ForAnyValue", "ForAllValues"):
        raise NotEvaluated(f"the condition operator {operator}")
    if not given:
        return quantifier == "ForAllValues" or base != name or (negated and not quantifier)
    if not quantifier and len(given) > 1:
        raise NotEvaluated(f"{operator} of several values")
    met = [any(compare(value, one) for one in wanted) != negated for value in given]
    return all(met) if quantifier == "ForAllValues" else any(met)
