"""What a dashboard shows: its widgets, and the metrics of each, written out."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tests.infrastructure.rules import every
from tests.infrastructure.stacks import Stacks


@dataclass(frozen=True)
class Shown:
    """One line of a widget.

    Attributes:
        dimensions: In their order.
        options: Those of the line, such as `label`, over those of the widget.
    """

    namespace: str
    name: str
    dimensions: tuple[tuple[str, str], ...]
    options: dict[str, Any]

    @property
    def expression(self) -> str:
        """Of metric math; empty for a metric."""
        return str(self.options.get("expression", ""))


def widgets(stacks: Stacks) -> dict[str, list[dict[str, Any]]]:
    """The widgets of each dashboard, by its name."""
    return {
        properties["DashboardName"]: json.loads(properties["DashboardBody"])["widgets"]
        for _, _, properties in every(stacks, "AWS::CloudWatch::Dashboard")
    }


def lines(widget: dict[str, Any]) -> Iterator[Shown]:
    """The lines of a widget, by "Dashboard body structure": `.` is the word above, `...` are all of them."""
    own = {key: widget["properties"][key] for key in ("stat", "period") if key in widget["properties"]}
    before: list[str] = []
    for line in widget["properties"].get("metrics", []):
        options = line[-1] if isinstance(line[-1], dict) else {}
        words = [word for word in line if isinstance(word, str)]
        if "expression" in options:
            yield Shown("", "", (), {**own, **options})
            continue
        if words[0] == "...":
            words = [*before[: len(before) - len(words) + 1], *words[1:]]
        words = [before[place] if word == "." else word for place, word in enumerate(words)]
        before = words
        pairs = tuple(zip(words[2::2], words[3::2], strict=True))
        yield Shown(words[0], words[1], pairs, {**own, **options})
