"""The text of what a service costs."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from typing import Any

from scaffold.commands.cost import Cheaper, Comparison, CostResult
from scaffold.console.console import visible
from scaffold.kit.estimate import Costs, Line

_LEAST_WIDTH = 40


def text(result: CostResult) -> str:
    """The costs by environment and resource, what other answers change, and what would cost less."""
    return visible("\n".join(_lines(result)))


def _lines(result: CostResult) -> Iterator[str]:
    costs = result.costs
    traffic = f"with {result.traffic} traffic" if result.traffic else "without traffic"
    yield (
        f"{result.service} costs about {costs.total_usd:.2f} USD a month {traffic} (list prices of {costs.region}, "
        f"{costs.as_of})."
    )
    if result.region and result.region != costs.region:
        yield f"The kit has no prices of {result.region}; those of {costs.region} stand in."
    rows = [row for part in costs.parts for row in ((part.title, part.usd), *_resources(part.lines))]
    width = max(_LEAST_WIDTH, *(len(name) for name, _ in rows))
    for name, usd in rows:
        if not name.startswith(" "):
            yield ""
        yield f"{name:<{width}}  {usd:>9.2f}"
    if result.comparison:
        yield from ("", *_comparison(result.comparison, result.costs.total_usd))
    if result.cheaper:
        yield from ("", "Answers that cost less, each by itself:")
        for one in result.cheaper:
            yield f"  {one.total_usd:.2f} USD, {one.saved_usd:.2f} less: {one.gives_up}"
            yield f"    {_command(one, costs)}"


def _resources(lines: tuple[Line, ...]) -> Iterator[tuple[str, float]]:
    return ((f"  {line.name}", line.usd) for line in lines)


def _comparison(comparison: Comparison, before: float) -> Iterator[str]:
    answers = ", ".join(f"{key}={_value(value)}" for key, value in comparison.answers.items())
    if not comparison.differences:
        yield f"With {answers} it costs the same, {before:.2f} USD."
        return
    more = f"{abs(comparison.added_usd):.2f} {'more' if comparison.added_usd >= 0 else 'less'}"
    yield f"With {answers} it costs {comparison.total_usd:.2f} USD, {more}:"
    parts = max(len(one.part) for one in comparison.differences)
    names = max(len(one.name) for one in comparison.differences)
    for one in comparison.differences:
        yield f"  {one.part:<{parts}}  {one.name:<{names}}  {one.usd:>+9.2f}"


def _command(cheaper: Cheaper, costs: Costs) -> str:
    if "environments" in cheaper.answers:  # `scaffold update` leaves their stacks
        kept = str(cheaper.answers["environments"]).split(",")
        names = [part.name for part in costs.parts[:-1] if part.name not in kept]
        return " && ".join(f"scaffold env remove {name}" for name in names)
    data = [f"--data {shlex.quote(f'{key}={_value(value)}')}" for key, value in cheaper.answers.items()]
    return " ".join(["scaffold update", *data])


def _value(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
