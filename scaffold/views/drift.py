"""The text of stacks that were compared with the commits."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from scaffold.aws.cloudformation.comparison import Difference
from scaffold.console.console import one_line
from scaffold.console.titles import count
from scaffold.deployment import stack_drift
from scaffold.deployment.stack_drift import StackDrift

# More would scroll the other stacks off a terminal of 24 lines.
_SHOWN = 8
_LONGEST_VALUE = 60
_WORDS = {
    stack_drift.IN_SYNC: "as HEAD",
    stack_drift.DELETED: "deleted in AWS",
    stack_drift.NOT_CREATED: "not created yet",
    stack_drift.PREPARED: "not released yet",
    stack_drift.IN_PROGRESS: "in progress, not compared",
}


def lines(drift: Sequence[StackDrift]) -> Iterator[str]:
    """The stacks that are not as HEAD, a line each, with the differences of those that were changed."""
    different = [one for one in drift if one.state != stack_drift.IN_SYNC]
    if not different:
        yield f"Drift       none: {count(len(drift), 'stack')} as HEAD"
        return
    yield "Drift"
    width = max(len(one.stack) for one in different)
    for one in different:
        yield f"  {one.stack:<{width}}  {_state(one)}"
        yield from (f"    {_difference(each)}" for each in one.differences[:_SHOWN])
        if len(one.differences) > _SHOWN:
            yield f"    and {len(one.differences) - _SHOWN} more"
    same = len(drift) - len(different)
    if same:
        yield f"  {count(same, 'other stack')} as HEAD"


def _state(one: StackDrift) -> str:
    commit = (one.commit or "")[:7]
    if one.state == stack_drift.NOT_RELEASED:
        return f"not released: {count(one.ahead or 0, 'commit')} of HEAD ahead of it, it is as commit {commit}"
    if one.state == stack_drift.NEWER:
        return f"as commit {commit}, which HEAD does not contain: run `git pull`"
    if one.state == stack_drift.CHANGED:
        return f"changed in AWS; differs from commit {commit} in"
    return _WORDS[one.state]


def _difference(one: Difference) -> str:
    if one.kind == "template":
        return "its template, outside of the resources"
    if one.kind == "resource":
        return f"resource {one_line(one.name)}"
    return f"{one.kind} {one_line(one.name)}: {_value(one.deployed)} in AWS, {_value(one.committed)} in the commit"


def _value(value: str | None) -> str:
    if value is None:
        return "none"
    shown = one_line(value)
    return repr(shown if len(shown) <= _LONGEST_VALUE else f"{shown[:_LONGEST_VALUE]}…")
