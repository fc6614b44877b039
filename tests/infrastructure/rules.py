"""Our own rules: what AWS refuses, or what breaks when it runs, although cfn-lint passes it.

Each rule looks at all stacks of a service and names what is wrong. Its number is that of the report it comes from
(`ecs-02`), or says what it guards. `wrong.yaml` holds a template for each, in which the rule has to find something.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from tests.infrastructure.stacks import Stack, Stacks

Rule = Callable[[Stacks], Iterator[str]]
RULES: dict[str, Rule] = {}


def rule(*names: str) -> Callable[[Rule], Rule]:
    """Register a rule under the names of what it guards against."""

    def register(check: Rule) -> Rule:
        for name in names:
            assert name not in RULES, f"{name} is taken"
            RULES[name] = check
        return check

    return register


def every(stacks: Stacks, type_name: str) -> Iterator[tuple[Stack, str, dict[str, Any]]]:
    """Every resource of a type in all stacks."""
    for stack in stacks.values():
        for logical, properties in stack.of_type(type_name):
            yield stack, logical, properties


def walk(value: Any) -> Iterator[dict[str, Any]]:
    """Every mapping inside a value, itself included."""
    if isinstance(value, dict):
        yield value
        for item in value.values():
            yield from walk(item)
    elif isinstance(value, list):
        for item in value:
            yield from walk(item)


def references(resource: dict[str, Any]) -> set[str]:
    """The logical ids that a resource, as written, refers to."""
    found = set()
    for item in walk(resource):
        found |= {item["Ref"]} if "Ref" in item else set()
        found |= {item["Fn::GetAtt"][0]} if "Fn::GetAtt" in item else set()
    return found


def repeated(names: Iterable[str]) -> list[str]:
    """What occurs more than once."""
    return [name for name, count in Counter(names).items() if count > 1]
