"""Test reports: JUnit XML as CodeBuild's test cases."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

_STATUSES = {"failure": "FAILED", "error": "ERROR", "skipped": "SKIPPED"}


class ReportRefused(Exception):
    """CodeBuild does not store a report."""


class InvalidReport(Exception):
    """A file does not have the format of its report."""


@dataclass(frozen=True)
class Case:
    """One test.

    Attributes:
        status: `SUCCEEDED`, `FAILED`, `ERROR` or `SKIPPED`.
        path: The report file, relative to the base directory.
    """

    name: str
    suite: str
    status: str
    nanoseconds: int
    message: str
    path: str


@dataclass(frozen=True)
class Report:
    """The tests of one report of a buildspec."""

    name: str
    cases: tuple[Case, ...]

    @property
    def counts(self) -> dict[str, int]:
        """How many tests have each status."""
        return dict(Counter(case.status for case in self.cases))

    @property
    def status(self) -> str:
        """`FAILED` if a test failed. The build does not fail by it."""
        return "FAILED" if {"FAILED", "ERROR"} & set(self.counts) else "SUCCEEDED"

    @property
    def size(self) -> str:
        """How much it has, for people."""
        return f"{len(self.cases)} tests"


def read(name: str, files: dict[str, Path]) -> Report:
    """Read the files of a report, by their paths relative to the base directory.

    Raises:
        InvalidReport: One of them is no JUnit XML.
    """
    return Report(name, tuple(case for path, file in files.items() for case in _cases(path, file)))


def _cases(path: str, file: Path) -> Iterator[Case]:
    try:
        root = ElementTree.parse(file).getroot()  # noqa: S314
    except (ElementTree.ParseError, OSError, ValueError, LookupError) as error:
        raise InvalidReport(f"{path}: {error}") from error
    if root.tag not in ("testsuites", "testsuite"):
        raise InvalidReport(f"{path}: the root element is {root.tag}, not testsuites or testsuite")
    yield from _cases_below(root, path, "")


def _cases_below(element: ElementTree.Element, path: str, suite: str) -> Iterator[Case]:
    for child in element:
        if child.tag == "testsuite":
            yield from _cases_below(child, path, child.get("name", suite))
        elif child.tag == "testcase":
            yield _case(child, path, suite or element.get("name", ""))


def _case(element: ElementTree.Element, path: str, suite: str) -> Case:
    verdict = next((child for child in element if child.tag in _STATUSES), None)
    status = "SUCCEEDED" if verdict is None else _STATUSES[verdict.tag]
    message = "" if verdict is None else (verdict.get("message") or (verdict.text or "").strip())
    try:
        nanoseconds = int(float(element.get("time") or 0) * 1e9)
    except (ValueError, OverflowError):
        nanoseconds = 0
    name = element.get("name", "")
    return Case(name, suite or element.get("classname", ""), status, nanoseconds, message, path)
