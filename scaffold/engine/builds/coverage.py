"""Code coverage reports: the lines and branches of each file, from the formats that CodeBuild reads."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from scaffold.engine.builds.reports import InvalidReport

_CONDITIONS = re.compile(r"\((\d+)/(\d+)\)")


@dataclass(frozen=True)
class Counts:
    """How many lines and branches the tests have covered, and how many not."""

    lines_covered: int = 0
    lines_missed: int = 0
    branches_covered: int = 0
    branches_missed: int = 0

    def __add__(self, other: Counts) -> Counts:
        return Counts(
            self.lines_covered + other.lines_covered,
            self.lines_missed + other.lines_missed,
            self.branches_covered + other.branches_covered,
            self.branches_missed + other.branches_missed,
        )


@dataclass(frozen=True)
class Coverage:
    """The code coverage of one report of a buildspec, by file."""

    name: str
    files: Mapping[str, Counts]
    status: str = "SUCCEEDED"

    @property
    def total(self) -> Counts:
        """That of all files."""
        return sum(self.files.values(), Counts())

    @property
    def size(self) -> str:
        """How much it has, for people."""
        return f"{len(self.files)} files"


def read(name: str, file_format: str, files: Mapping[str, Path]) -> Coverage:
    """Read the files of a report, by their paths relative to the base directory.

    Args:
        file_format: One of `FORMATS`.

    Raises:
        InvalidReport: One of them does not have the format.
    """
    found: dict[str, Counts] = {}
    for path, file in files.items():
        try:
            for measured, counts in FORMATS[file_format](file.read_bytes()):
                found[measured] = found.get(measured, Counts()) + counts
        except (ElementTree.ParseError, OSError, ValueError, LookupError, TypeError, AttributeError) as error:
            raise InvalidReport(f"{path} is not in the format {file_format}: {error}") from error
    return Coverage(name, found)


Read = Callable[[bytes], Iterable[tuple[str, Counts]]]


def _root(content: bytes, tag: str) -> ElementTree.Element:
    root = ElementTree.fromstring(content)  # noqa: S314
    if root.tag != tag:
        raise ValueError(f"the root element is {root.tag}, not {tag}")
    return root


def _cobertura(content: bytes) -> Iterator[tuple[str, Counts]]:
    for measured in _root(content, "coverage").iter("class"):
        for line in measured.iterfind("lines/line"):  # Those of methods are among them.
            covered = int(line.attrib["hits"]) > 0
            conditions = _CONDITIONS.search(line.get("condition-coverage", ""))
            taken, branches = (int(conditions[1]), int(conditions[2])) if conditions else (0, 0)
            yield measured.attrib["filename"], Counts(covered, not covered, taken, branches - taken)


def _clover(content: bytes) -> Iterator[tuple[str, Counts]]:
    for measured in _root(content, "coverage").iter("file"):
        metrics = measured.find("metrics")
        if metrics is None:
            raise ValueError("a file has no metrics")
        lines, branches = (
            (int(metrics.attrib[f"covered{name}"]), int(metrics.attrib[name]))
            for name in ("statements", "conditionals")
        )
        counts = Counts(lines[0], lines[1] - lines[0], branches[0], branches[1] - branches[0])
        yield measured.get("path") or measured.attrib["name"], counts


def _jacoco(content: bytes) -> Iterator[tuple[str, Counts]]:
    for package in _root(content, "report").iter("package"):
        for measured in package.iterfind("sourcefile"):
            found = {one.attrib["type"]: one.attrib for one in measured.iterfind("counter")}
            counts = [
                int(found[kind][key]) if kind in found else 0
                for kind in ("LINE", "BRANCH")
                for key in ("covered", "missed")
            ]
            yield f"{package.attrib['name']}/{measured.attrib['name']}".lstrip("/"), Counts(*counts)


def _simplecov(content: bytes) -> Iterator[tuple[str, Counts]]:
    lines: dict[tuple[str, int], int] = {}
    branches: dict[tuple[str, str, str], int] = {}
    for command in json.loads(content).values():  # A line that one command has run is covered.
        for path, measured in command["coverage"].items():
            given: dict[str, Any] = measured if isinstance(measured, dict) else {"lines": measured}
            for number, hits in enumerate(given["lines"]):
                if isinstance(hits, int):  # Not a comment.
                    lines[path, number] = max(hits, lines.get((path, number), 0))
            for condition, taken in (given.get("branches") or {}).items():
                for branch, hits in taken.items():
                    branches[path, condition, branch] = max(int(hits), branches.get((path, condition, branch), 0))
    for (path, _), hits in lines.items():
        yield path, Counts(hits > 0, hits == 0)
    for (path, *_), hits in branches.items():
        yield path, Counts(0, 0, hits > 0, hits == 0)


#: What reads each format, by its name in a buildspec.
FORMATS: dict[str, Read] = {
    "CLOVERXML": _clover,
    "COBERTURAXML": _cobertura,
    "JACOCOXML": _jacoco,
    "SIMPLECOV": _simplecov,
}
