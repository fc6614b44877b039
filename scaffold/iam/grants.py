"""Which permissions a policy loses that others still use, by comparing patterns and not individual calls."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from scaffold.iam.policies import Statement, as_list, matches


@dataclass(frozen=True)
class Grant:
    """An action on a resource that a statement allows or denies.

    Attributes:
        action: With IAM's wildcards.
        resource: With IAM's wildcards; None where it is not known.
        condition: The statement's conditions as text; empty for none.
    """

    action: str
    resource: str | None
    condition: str = ""

    def __str__(self) -> str:
        return f"{self.action} on {self.resource}" if self.resource not in (None, "*") else self.action

    def covers(self, other: Grant) -> bool:
        """Whether it contains another action on another resource, whatever the conditions of both."""
        return matches(self.action.lower(), other.action.lower()) and _overlaps(self.resource, other.resource)


def grants(
    statements: Iterable[Statement], effect: str, resolve: Callable[[Any], str | None] = lambda value: value
) -> Iterator[Grant]:
    """What statements with an effect allow or deny. Those with NotAction or NotResource are left out.

    Args:
        resolve: Gives the text of a resource; None where it is not known.
    """
    for statement in statements:
        if statement.get("Effect") == effect and "Action" in statement and "Resource" in statement:
            given = statement.get("Condition")
            condition = json.dumps(given, sort_keys=True) if given else ""
            for action in as_list(statement["Action"]):
                for resource in as_list(statement["Resource"]):
                    yield Grant(str(action), resolve(resource), condition)


@dataclass(frozen=True)
class Limit:
    """What a permissions boundary allows and denies."""

    allowed: frozenset[Grant]
    denied: frozenset[Grant]

    @classmethod
    def of(cls, statements: list[Statement], resolve: Callable[[Any], str | None]) -> Limit:
        """The limit that statements set."""
        return cls(
            frozenset(grants(statements, "Allow", resolve)),
            frozenset(one for one in grants(statements, "Deny", resolve) if not one.condition),
        )

    def removed(self, after: Limit) -> set[Grant]:
        """What this limit allows and a later one does not, or does under other conditions, and what that one denies."""
        lost = {one for one in self.allowed if not after._allows(one, {one.condition})}
        return lost | (after.denied - self.denied)

    def loses(self, after: Limit, used: Grant) -> bool:
        """Whether a later limit no longer allows something that is used."""
        conditions = {one.condition for one in self.allowed if one.covers(used)}
        if conditions and not after._allows(used, conditions):
            return True
        if any(one.covers(used) for one in after.denied - self.denied):
            return True
        return any(used.covers(one) for one in self.removed(after) if one in self.allowed)

    def _allows(self, grant: Grant, conditions: set[str]) -> bool:
        return any(one.covers(grant) and one.condition in {"", *conditions} for one in self.allowed)


def _overlaps(one: str | None, other: str | None) -> bool:
    return one is None or other is None or matches(one, other)
