"""Which permissions a policy loses that others still use, by comparing patterns and not individual calls."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from scaffold.iam.policies import Statement, as_list, matches

# The actions of a service whose requests have a condition key, where not all of them may.
_ACTIONS = {
    "codecommit:references": tuple(
        f"codecommit:{one}"
        for one in (
            "createbranch",
            "createcommit",
            "createunreferencedmergecommit",
            "deletebranch",
            "deletefile",
            "gitpush",
            "mergebranches*",
            "mergepullrequest*",
            "putfile",
        )
    )
}


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

    def removed(self, after: Limit) -> frozenset[Grant]:
        """What this limit allows and a later one does not, or does under other conditions, and what that one denies."""
        return _lost(self, after) | (after.denied - self.denied)

    def loses(self, after: Limit, used: Grant) -> bool:
        """Whether a later limit no longer allows something that is used."""
        conditions = {one.condition for one in self.allowed if one.covers(used)}
        if conditions and not after._allows(used, {used.condition, *conditions}):
            return True
        if any(one.covers(used) for one in after.denied - self.denied):
            return True
        return any(used.covers(one) and not after._allows(one, {used.condition}) for one in _lost(self, after))

    def _allows(self, grant: Grant, conditions: set[str]) -> bool:
        """Whether it allows something under no condition, or under one that holds wherever another one does."""
        return any(
            one.covers(grant) and any(_widens(one.condition, before, grant.action) for before in {"", *conditions})
            for one in self.allowed
        )


# Kept for all that is used under a limit: it compares each permission with each other one.
@lru_cache(maxsize=4)
def _lost(before: Limit, after: Limit) -> frozenset[Grant]:
    return frozenset(one for one in before.allowed if not after._allows(one, {one.condition}))


@lru_cache(maxsize=4096)
def _widens(after: str, before: str, action: str) -> bool:
    """Whether a condition asks of an action only what another one does: the same keys, with the same or more values."""
    old, new = _asked(before, action), _asked(after, action)
    return all(
        key in old and (values <= old[key] if "Not" in key[0] else values >= old[key]) for key, values in new.items()
    )


def _asked(condition: str, action: str) -> dict[tuple[str, str], set[str]]:
    """The values of a condition by operator and key; of IfExists, only for keys that the action's requests may have."""
    return {
        (operator, key): {json.dumps(one, sort_keys=True) for one in as_list(values)}
        for operator, keys in (json.loads(condition) if condition else {}).items()
        for key, values in (keys if isinstance(keys, dict) else {"": keys}).items()
        if not operator.endswith("IfExists") or _may_have(action.lower(), key.lower())
    }


def _may_have(action: str, key: str) -> bool:
    """Whether a request for an action may have a condition key."""
    service = key.partition(":")[0]
    if key in _ACTIONS:
        return any(matches(one, action) or matches(action, one) for one in _ACTIONS[key])
    return service == "aws" or matches(action.partition(":")[0], service)


def _overlaps(one: str | None, other: str | None) -> bool:
    return one is None or other is None or matches(one, other)
