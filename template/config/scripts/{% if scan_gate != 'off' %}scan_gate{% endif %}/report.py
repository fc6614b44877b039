"""Evaluate findings against the policy, and format the result: as a table, as a test report, as JSON."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any

from finding import SEVERITIES, UNSCORED, Finding
from policy import Policy

# CodeBuild takes 500 test cases in a report; one of them tells the number of the others.
MOST_CASES = 500


@dataclass(frozen=True)
class Verdict:
    """The result for a finding that stops a release unless an exception allows it."""

    finding: Finding
    blocks: bool
    words: str


def judge(findings: Sequence[Finding], policy: Policy, today: date) -> list[Verdict]:
    """Evaluate the findings that the policy considers, the most severe first.

    Args:
        findings: All findings of the scan.
        policy: The policy.
        today: The date by which exceptions are expired or not.

    Raises:
        GateClosed: A finding has an unknown severity, or the policy cannot be applied to it.
    """
    order = {severity: rank for rank, severity in enumerate((*reversed(SEVERITIES), *UNSCORED))}
    relevant = [finding for finding in findings if policy.considers(finding)]
    relevant.sort(key=lambda finding: (order[finding.severity], finding.id, finding.package))
    return [_verdict(finding, policy, today) for finding in relevant]


def _verdict(finding: Finding, policy: Policy, today: date) -> Verdict:
    exemption = policy.exceptions.get(finding.id)
    if not exemption:
        return Verdict(finding, True, "STOPS THE RELEASE")
    if exemption.expires < today:
        return Verdict(finding, True, f"STOPS THE RELEASE: its exception expired on {exemption.expires}")
    return Verdict(finding, False, f"allowed until {exemption.expires}: {exemption.reason}")


def show(verdicts: Sequence[Verdict], findings: Sequence[Finding], policy: Policy, today: date) -> str:
    """Format the report: a table of the findings that reach the threshold, and the number of the others."""
    lines = []
    if verdicts:
        rows = [("SEVERITY", "FINDING", "PACKAGE", "VERSION", "FIXED IN", "VERDICT")]
        for verdict in verdicts:
            f = verdict.finding
            rows.append((f.severity, f.id, _package(f), f.version or "-", f.fixed_in or "-", verdict.words))
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines += ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]
    below = Counter(finding.severity for finding in findings if not policy.reaches_threshold(finding.severity))
    words = ", ".join(f"{below[name]} {name}" for name in (*reversed(SEVERITIES), *UNSCORED) if below[name])
    lines.append(f"Below the threshold: {words or 'nothing'}.")
    if unfixed := sum(policy.reaches_threshold(one.severity) and not policy.considers(one) for one in findings):
        lines.append(f"Without a fix, which only_fixed lets pass: {unfixed}.")
    found = {finding.id for finding in findings}
    for exemption in policy.exceptions.values():
        if exemption.id not in found:
            state = "has expired and " if exemption.expires < today else ""
            lines.append(f"The exception for {exemption.id} {state}matches no finding of this image: delete it.")
    return "\n".join(lines)


def _package(finding: Finding) -> str:
    return f"{finding.package or '-'} ({finding.ecosystem})" if finding.ecosystem else finding.package or "-"


def test_report(verdicts: Sequence[Verdict], findings: Sequence[Finding]) -> ElementTree.ElementTree:
    """A JUnit report with a test for each finding that the policy considers, and one for all others."""
    listed = verdicts[: MOST_CASES - 1]
    left = len(findings) - len(listed)
    blocking = sum(one.blocks for one in verdicts[len(listed) :])
    suite = ElementTree.Element("testsuite", name="findings", tests=str(len(listed) + 1))
    for verdict in listed:
        one = verdict.finding
        name = f"{one.severity} {one.id} {_package(one)} {one.version}".rstrip()
        words = f"{verdict.words}{f'; fixed in {one.fixed_in}' if one.fixed_in else ''}"
        _case(suite, name, "failure" if verdict.blocks else "skipped", words)
    _case(suite, f"{left} other findings", "failure" if blocking else "", f"{blocking} of them stop the release")
    for tag in ("failure", "skipped"):
        suite.set("failures" if tag == "failure" else tag, str(len(suite.findall(f"testcase/{tag}"))))
    root = ElementTree.Element("testsuites")
    root.append(suite)
    return ElementTree.ElementTree(root)


def _case(suite: ElementTree.Element, name: str, result: str, words: str) -> None:
    case = ElementTree.SubElement(suite, "testcase", classname="findings", name=_printable(name), time="0")
    if result:
        ElementTree.SubElement(case, result, message=_printable(words))


def _printable(text: str) -> str:
    """Text that XML can have: names of packages are written by others."""
    return "".join(one if one.isprintable() else "?" for one in text)


def document(
    image: str, engine: str, verdicts: Sequence[Verdict], findings: Sequence[Finding], policy: Policy, today: date
) -> dict[str, Any]:
    """All findings as JSON, the most severe first, with the verdicts on those that the policy considers."""
    judged = {verdict.finding: verdict.words for verdict in verdicts}
    order = {severity: rank for rank, severity in enumerate((*reversed(SEVERITIES), *UNSCORED))}
    listed = sorted(findings, key=lambda one: (order.get(one.severity, len(order)), one.id, one.package))
    return {
        "image": image,
        "engine": engine,
        "date": f"{today}",
        "threshold": policy.threshold,
        "findings": [{**asdict(one), "verdict": judged.get(one, _passed(one, policy))} for one in listed],
    }


def _passed(finding: Finding, policy: Policy) -> str:
    return "has no fix" if policy.reaches_threshold(finding.severity) else "below the threshold"
