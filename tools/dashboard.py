#!/usr/bin/env python3
"""Draw the dashboard of a service, as CloudWatch would over three hours with a release, as an SVG file.

    python tools/dashboard.py DASHBOARD.svg [KEY=VALUE ...]

For looking at it: the service has the default answers, `observability=standard` and those given. The values are played.
"""

from __future__ import annotations

import math
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests.infrastructure.dashboards import Shown, lines, widgets  # noqa: E402
from tests.infrastructure.stacks import load  # noqa: E402
from tests.kits import generate  # noqa: E402

CELL, GAP = 50, 4
MINUTES, RELEASE = 180, 110
SECONDS = {"p50": 0.02, "p95": 0.09, "p99": 0.21}
COLOURS = ("#1f77b4", "#ff7f0e", "#2ca02c", "#9467bd", "#8c564b")
STARTS = [("14:49", "0a1b2c3d4e5f"), ("14:48", "0a1b2c3d4e5f"), ("13:02", "f5e4d3c2b1a0"), ("13:01", "f5e4d3c2b1a0")]
ERRORS = [("14:52:07", "request failed", "connect ECONNREFUSED", "7d1f…", "4bf92f3577b34da6a3ce929d0e0e4736")]


def played(line: Shown) -> list[tuple[str, list[float]]]:
    """The series of a line, each with its label: traffic by day, a canary that fails a little, then all of it."""
    wave = [200 + 60 * math.sin(minute / 25) for minute in range(MINUTES)]
    old = [1.0 if minute < RELEASE else max(0.9 - (minute - RELEASE) // 10, 0.0) for minute in range(MINUTES)]
    old = [0.0 if minute >= RELEASE + 10 else share for minute, share in enumerate(old)]
    new = [1 - share for share in old]
    failing = [0.4 if RELEASE <= minute < RELEASE + 10 else 0.05 for minute in range(MINUTES)]
    label, text = str(line.options.get("label", line.name)), line.expression
    if "Dim.version" in label:
        return [
            (version, [each * part for each, part in zip(wave, share, strict=True)])
            for version, share in (("f5e4d3c2b1a0", old), ("0a1b2c3d4e5f", new))
        ]
    if "Dim.operation" in label:
        return [("greeting", [0.98 * each for each in wave])]
    share = new if "alternate" in label else old
    if text:
        return [(label, failing if "failed" in text else [share * 0.02 for share in failing])]
    values = {
        "RequestCount": [each * part for each, part in zip(wave, share, strict=True)],
        "HealthyHostCount": [2.0 if part else 0.0 for part in share],
        "TargetResponseTime": [SECONDS.get(label, 0.0) * (1 + 9 * one) for one in failing],
        "FailedPercent": [12.0 * one for one in failing],
        "CPUUtilization": [each / 6 for each in wave],
        "MemoryUtilization": [31 + minute / 30 for minute in range(MINUTES)],
    }
    return [(label, values.get(line.name, [0.0] * MINUTES))]


def drawn(widget: dict[str, Any]) -> Iterator[str]:
    """The elements of a widget."""
    x, y, wide, high = (CELL * widget[key] for key in ("x", "y", "width", "height"))
    shown = widget["properties"]
    yield f'<rect x="{x + GAP}" y="{y + GAP}" width="{wide - 2 * GAP}" height="{high - 2 * GAP}" class="card"/>'
    yield f'<text x="{x + 16}" y="{y + 26}" class="title">{escape(shown["title"])}</text>'
    if widget["type"] == "alarm":
        part = (wide - 24) / len(shown["alarms"])
        for place, arn in enumerate(shown["alarms"]):
            yield f'<rect x="{x + 12 + place * part}" y="{y + 50}" width="{part - 8}" height="60" class="ok"/>'
            yield f'<text x="{x + 24 + place * part}" y="{y + 85}">{escape(arn.rpartition(":")[2][-20:])}</text>'
    elif widget["type"] == "log":
        rows = STARTS if "Starts" in shown["title"] else ERRORS
        for number, row in enumerate(rows):
            yield f'<text x="{x + 16}" y="{y + 60 + 24 * number}">{escape("    ".join(row))}</text>'
    elif shown.get("view") == "singleValue":
        visible = [line for line in lines(widget) if line.options.get("visible", True)]
        for number, line in enumerate(visible):
            yield f'<text x="{x + 16}" y="{y + 80 + 70 * number}" class="number">{(2, 0.4, 0.7)[number % 3]}</text>'
            yield f'<text x="{x + 110}" y="{y + 80 + 70 * number}">{escape(str(line.options.get("label")))}</text>'
    else:
        yield from _graph(widget, x, y, wide, high)


def _graph(widget: dict[str, Any], x: int, y: int, wide: int, high: int) -> Iterator[str]:
    shown = widget["properties"]
    series = [
        (label, values, line.options)
        for line in lines(widget)
        if line.options.get("visible", True)
        for label, values in played(line)
    ]
    marks = shown.get("annotations", {}).get("horizontal", [])
    left, top, right, bottom = x + 50, y + 44, x + wide - 40, y + high - 46
    for side in ("left", "right"):
        own = [one for one in series if one[2].get("yAxis", "left") == side]
        if not own:
            continue
        bound = shown.get("yAxis", {}).get(side, {}).get("max")
        heights = [max(column) for column in zip(*(values for _, values, _ in own), strict=True)]
        if shown.get("stacked"):
            heights = [sum(column) for column in zip(*(values for _, values, _ in own), strict=True)]
        most = bound or max([*heights, *(mark["value"] for mark in marks if side == "left"), 0.001]) * 1.1
        edge = left - 44 if side == "left" else right + 6
        yield f'<text x="{edge}" y="{top + 6}">{most:.3g}</text><text x="{edge}" y="{bottom}">0</text>'
        below = [0.0] * MINUTES
        for label, values, options in own:
            number = series.index((label, values, options))
            colour = options.get("color", COLOURS[number % len(COLOURS)])
            if shown.get("stacked"):
                values = [one + two for one, two in zip(values, below, strict=True)]
                below = values
            points = " ".join(
                f"{left + (right - left) * minute / MINUTES:.1f},{bottom - (bottom - top) * value / most:.1f}"
                for minute, value in enumerate(values)
            )
            yield f'<polyline points="{points}" style="fill:none;stroke:{colour};stroke-width:2"/>'
            spot = left + sum(9 * len(one) + 16 for one, _, _ in series[:number])
            yield f'<text x="{spot}" y="{bottom + 30}" style="fill:{colour}">{escape(label)}</text>'
        for mark in marks if side == "left" else []:
            height = bottom - (bottom - top) * mark["value"] / most
            yield f'<line x1="{left}" x2="{right}" y1="{height}" y2="{height}" class="mark"/>'
            yield f'<text x="{right - 110}" y="{height - 4}" class="mark">{escape(mark["label"])}</text>'


def main() -> int:
    """Draw the dashboard of the last environment."""
    target, *given = sys.argv[1:] or ["dashboard.svg"]
    answers: dict[str, Any] = dict(one.split("=", 1) for one in given)
    with tempfile.TemporaryDirectory() as folder:
        service = generate(Path(folder) / "service", **{"customize": True, "observability": "standard", **answers})
        shown = list(widgets(load(service)).values())[-1]
    high = CELL * max(widget["y"] + widget["height"] for widget in shown)
    style = (
        "text{font:14px sans-serif;fill:#333}.title{font-weight:bold}.number{font-size:32px}"
        ".card{fill:#fff;stroke:#ccc}.ok{fill:#d5f0d5;stroke:#2ca02c}.mark{stroke:#d62728;stroke-dasharray:5}text.mark{stroke:none;fill:#d62728}"
    )
    body = "\n".join(element for widget in shown for element in drawn(widget))
    size = f'width="{24 * CELL}" height="{high}"'
    Path(target).write_text(
        f'<svg xmlns="http://www.w3.org/2000/svg" {size}><style>{style}</style>'
        f'<rect {size} fill="#f2f3f3"/>\n{body}\n</svg>\n'
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
