#!/usr/bin/env python3
"""Run the integration tests of config/tests/integration/ against an environment.

    SERVICE_URL=http://... EXPECTED_VERSION=... [ENVIRONMENT_NAME=dev] integration_tests.py REPORT

Node's own test runner runs every file named *.test.js, *.test.mjs or *.test.ts, so that nothing has to be installed.
REPORT is a file for the results in JUnit's format. The tests get the variables above, and no credentials. Exit codes:
0 passed or no tests, 1 failed, 2 usage error.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import sys
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator, Sequence
from pathlib import Path

import group_tests
import isolated_tests

ROOT = Path(__file__).resolve().parents[2]
FOLDER = Path("config/tests/integration")
PATTERNS = ("*.test.js", "*.test.mjs", "*.test.ts")
REASON = re.compile(r"\[?Error \[ERR_TEST_FAILURE\]: (.+?)(?:\] \{)?$", re.MULTILINE)
SHOWN = 5


def test_files() -> list[str]:
    """The files with tests, but for those of packages."""
    found = {path.relative_to(ROOT) for pattern in PATTERNS for path in (ROOT / FOLDER).rglob(pattern)}
    return sorted(str(path) for path in found if "node_modules" not in path.parts)


def run(node: str, files: Sequence[str], report: Path, seconds: float) -> int | None:
    """Run the files; return the exit code of Node, or None at the timeout."""
    log = ("--test-reporter=spec", "--test-reporter-destination=stdout")
    results = ("--test-reporter=junit", f"--test-reporter-destination={report}")
    return isolated_tests.run([node, "--test", *log, *results, *files], ROOT, seconds)


def failures(report: ElementTree.Element) -> Iterator[str]:
    """The tests that failed, each with the first line of its reason."""
    for test in report.iter("testcase"):
        for problem in (*test.findall("failure"), *test.findall("error")):
            # The attribute has the same text without its line breaks.
            found = REASON.match((problem.text or "").strip())
            reason = found[1] if found else problem.get("message", "")
            yield f"{test.get('name', '').removeprefix(f'{ROOT}/')}: {reason}"


def fail(report: Path, reason: str) -> int:
    """Report a failure that is not one of a test."""
    isolated_tests.write_single(report, "integration", "integration tests", "failure", reason)
    print(f"Integration tests failed: {reason}.", file=sys.stderr)
    return 1


def judge(report: Path, code: int) -> int:
    """Group the tests of the report, and say which ones failed."""
    try:
        tree = ElementTree.parse(report)
    except (OSError, ElementTree.ParseError):
        return fail(report, f"Node ended with exit code {code} and wrote no report")
    failed, total = list(failures(tree.getroot())), len(list(tree.getroot().iter("testcase")))
    if group_tests.group(tree.getroot()):
        tree.write(report, encoding="utf-8", xml_declaration=True)
    if code == 0 and not failed:
        print(f"Integration tests passed: {total}.")
        return 0
    for line in failed[:SHOWN]:
        print(f"Failed: {line}", file=sys.stderr)
    if len(failed) > SHOWN:
        print(f"and {len(failed) - SHOWN} more", file=sys.stderr)
    counted = f"{len(failed)} of {total}" if failed else f"Node ended with exit code {code}"
    print(f"Integration tests failed: {counted}.", file=sys.stderr)
    return 1


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("report", type=Path, help="the file for the results, in JUnit's format")
    parser.add_argument("--seconds", type=float, default=600, help="timeout in seconds (600)")
    arguments = parser.parse_args()

    url = os.environ.get("SERVICE_URL", "")
    if not url.startswith(("http://", "https://")) or not os.environ.get("EXPECTED_VERSION"):
        print("Set SERVICE_URL (http://... or https://...) and EXPECTED_VERSION.", file=sys.stderr)
        return 2
    report = arguments.report.absolute()
    report.parent.mkdir(parents=True, exist_ok=True)
    report.unlink(missing_ok=True)

    files = test_files()
    if not files:
        reason = f"no file in {FOLDER} is named {', '.join(PATTERNS)}"
        isolated_tests.write_single(report, "integration", "no integration tests", "skipped", reason)
        print(f"No integration tests: {reason}.")
        return 0
    node = shutil.which("node")
    if node is None:
        return fail(report, "they need Node.js 22 or later, which is not installed")
    code = run(node, files, report, arguments.seconds)
    if code is None:
        return fail(report, f"they did not end within {arguments.seconds:g} s")
    return judge(report, code)


if __name__ == "__main__":
    sys.exit(main())
