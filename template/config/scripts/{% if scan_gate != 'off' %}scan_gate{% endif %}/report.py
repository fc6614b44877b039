"""Evaluate findings against the policy, and format the result as a table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any

from ecr import Finding, Image
from policy import SEVERITIES, UNSCORED, Policy


@dataclass(frozen=True)
class Verdict:
    """The result for a finding that reaches the threshold."""

    finding: Finding
    blocks: bool
    words: str


def judge(findings: Sequence[Finding], policy: Policy, today: date) -> list[Verdict]:
    """Evaluate the findings that reach the threshold, the most severe first.

    Args:
        findings: All findings of the scan.
        policy: The policy.
        today: The date by which exceptions are expired or not.

    Raises:
        GateClosed: A finding has an unknown severity.
    """
    order = {severity: rank for rank, severity in enumerate((*reversed(SEVERITIES), *UNSCORED))}
    relevant = [finding for finding in findings if policy.reaches_threshold(finding.severity)]
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
            rows.append((f.severity, f.id, f.package or "-", f.version or "-", f.fixed_in or "-", verdict.words))
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines += ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]
    below = Counter(finding.severity for finding in findings if not policy.reaches_threshold(finding.severity))
    words = ", ".join(f"{below[name]} {name}" for name in (*reversed(SEVERITIES), *UNSCORED) if below[name])
    lines.append(f"Below the threshold: {words or 'nothing'}.")
    found = {finding.id for finding in findings}
    for exemption in policy.exceptions.values():
        if exemption.id not in found:
            state = "has expired and " if exemption.expires < today else ""
            lines.append(f"The exception for {exemption.id} {state}matches no finding of this image: delete it.")
    return "\n".join(lines)


def document(
    image: Image, verdicts: Sequence[Verdict], findings: Sequence[Finding], policy: Policy, today: date
) -> dict[str, Any]:
    """All findings as JSON, the most severe first, with the verdicts on those that reach the threshold."""
    judged = {verdict.finding: verdict.words for verdict in verdicts}
    order = {severity: rank for rank, severity in enumerate((*reversed(SEVERITIES), *UNSCORED))}
    listed = sorted(findings, key=lambda one: (order.get(one.severity, len(order)), one.id, one.package))
    return {
        "image": f"{image.repository}@{image.digest}",
        "date": f"{today}",
        "threshold": policy.threshold,
        "findings": [{**asdict(one), "verdict": judged.get(one, "below the threshold")} for one in listed],
    }
