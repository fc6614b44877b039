"""Rules of our own, for faults that cfn-lint does not find but that AWS rejects or that fail at run time.

Each rule checks all stacks of a service and yields the problems. It is named after the report that it comes from
(`ecs-02`) or after its subject. `wrong.yaml` has a faulty template for each rule, in which it must find a problem.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from tests.infrastructure.stacks import Stack, Stacks

Rule = Callable[[Stacks], Iterator[str]]
RULES: dict[str, Rule] = {}


def rule(*names: str) -> Callable[[Rule], Rule]:
    """Register a rule under one or more names."""

    def register(check: Rule) -> Rule:
        for name in names:
            assert name not in RULES, f"{name} is taken"
            RULES[name] = check
        return check

    return register


def every(stacks: Stacks, type_name: str) -> Iterator[tuple[Stack, str, dict[str, Any]]]:
    """Every resource of a type, in all stacks."""
    for stack in stacks.values():
        for logical, properties in stack.of_type(type_name):
            yield stack, logical, properties


def walk(value: Any) -> Iterator[dict[str, Any]]:
    """Every mapping inside a value, including the value itself."""
    if isinstance(value, dict):
        yield value
        for item in value.values():
            yield from walk(item)
    elif isinstance(value, list):
        for item in value:
            yield from walk(item)


def references(resource: dict[str, Any]) -> set[str]:
    """The logical IDs that an unresolved resource refers to."""
    found = set()
    for item in walk(resource):
        found |= {item["Ref"]} if "Ref" in item else set()
        found |= {item["Fn::GetAtt"][0]} if "Fn::GetAtt" in item else set()
    return found


def repeated(names: Iterable[str]) -> list[str]:
    """The names that occur more than once."""
    return [name for name, count in Counter(names).items() if count > 1]
