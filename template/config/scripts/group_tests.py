#!/usr/bin/env python3
"""Give the tests of a JUnit report that are in no test suite one of their own.

    group_tests.py REPORT

Node's reporter writes tests outside of `describe` directly into `testsuites`, where CodeBuild may not find them. A
report that cannot be read stays as it is.
"""

from __future__ import annotations

import sys
import xml.etree.ElementTree as ElementTree


def group(report: ElementTree.Element) -> bool:
    """Move these tests into a new test suite, and say whether there are any."""
    alone = report.findall("testcase") if report.tag == "testsuites" else []
    if not alone:
        return False
    counts = {name: sum(test.find(name[:-1]) is not None for test in alone) for name in ("failures", "errors")}
    skipped = sum(test.find("skipped") is not None for test in alone)
    suite = ElementTree.Element("testsuite", name="tests", tests=str(len(alone)), skipped=str(skipped))
    suite.attrib |= {name: str(count) for name, count in counts.items()}
    for test in alone:
        report.remove(test)
        suite.append(test)
    report.insert(0, suite)
    return True


def main() -> int:
    (path,) = sys.argv[1:]
    try:
        tree = ElementTree.parse(path)
    except ElementTree.ParseError as error:
        print(f"Warning: {path} is no XML: {error}.", file=sys.stderr)
        return 0
    if group(tree.getroot()):
        tree.write(path, encoding="utf-8", xml_declaration=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
