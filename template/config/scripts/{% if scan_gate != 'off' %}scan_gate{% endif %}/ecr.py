"""Scans and findings of ECR, through the AWS CLI."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from aws_cli import Problem, Refused, output

from closed import GateClosed
from finding import Finding

MOST_PAGES = 1000


@dataclass(frozen=True)
class Scan:
    """A scan of the image, as ECR describes it.

    Attributes:
        status: ECR's scan status.
        description: ECR's explanation of the status, mostly empty.
        findings: All findings; None if the response has no list of findings, which differs from an empty list.
        counts: The number of findings by severity, as ECR counts them.
        enhanced: Whether the findings are from Amazon Inspector, which may still add some.
        completed_at: The completion time in ECR's format; None if it is missing.
    """

    status: str
    description: str
    findings: tuple[Finding, ...] | None
    counts: dict[str, int]
    enhanced: bool
    completed_at: str | float | None


class Image:
    """An image in ECR, identified by its digest, since a tag could refer to another image by now."""

    def __init__(self, repository: str, digest: str) -> None:
        self.repository = repository
        self.digest = digest

    def start_scan(self) -> None:
        """Start a scan.

        Raises:
            Refused: ECR does not start a scan.
        """
        # The AWS CLI takes the limit of one scan per day for throttling and would retry for minutes.
        self._call("start-image-scan", attempts=2)

    def scan(self) -> Scan | None:
        """Describe the scan with all pages of its findings; None if there is no scan yet.

        Raises:
            GateClosed: ECR returns an error, or its response has an unknown format.
        """
        try:
            pages = self._pages()
        except Refused as refused:
            if refused.code == "ScanNotFoundException":
                return None
            raise GateClosed(f"ECR does not return the findings: {refused.message}.") from refused
        try:
            return _read_scan(pages)
        except (KeyError, TypeError, AttributeError, ValueError, IndexError) as error:
            raise GateClosed(f"ECR's response has an unknown format ({type(error).__name__}: {error}).") from error

    def _pages(self) -> list[dict[str, Any]]:
        """Fetch every page; the AWS CLI's own pagination drops the findings after the first page."""
        pages: list[dict[str, Any]] = []
        token: str | None = None
        while len(pages) < MOST_PAGES:
            more = ["--next-token", token] if token else []
            page = self._call("describe-image-scan-findings", "--max-results", "1000", *more)
            pages.append(page)
            if not page.get("nextToken"):
                return pages
            if page["nextToken"] == token:
                break
            token = page["nextToken"]
        raise GateClosed("ECR returns an endless number of pages of findings.")

    def _call(self, operation: str, *more: str, attempts: int = 8) -> dict[str, Any]:
        chosen = ("--repository-name", self.repository, "--image-id", f"imageDigest={self.digest}")
        try:
            answered = output("ecr", operation, *chosen, *more, attempts=attempts)
        except Refused:
            raise
        except Problem as problem:
            said = str(problem)
            raise GateClosed(f"{said[0].upper()}{said[1:]}.") from problem
        try:
            answer = json.loads(answered)
        except ValueError as error:
            raise GateClosed(f"`aws ecr {operation}` returned no JSON: {answered[:80]!r}.") from error
        if not isinstance(answer, dict):
            raise GateClosed(f"`aws ecr {operation}` returned no JSON object: {answered[:80]!r}.")
        return answer


def _read_scan(pages: list[dict[str, Any]]) -> Scan:
    status = pages[0]["imageScanStatus"]
    parts = [page.get("imageScanFindings") or {} for page in pages]
    # Without any of these keys, the findings are not available yet; an empty list means that there are none.
    present = any(key in part for part in parts for key in ("findingSeverityCounts", "findings", "enhancedFindings"))
    basic = [_basic(finding) for part in parts for finding in part.get("findings") or []]
    enhanced = [row for part in parts for finding in part.get("enhancedFindings") or [] for row in _enhanced(finding)]
    return Scan(
        status=str(status["status"]),
        description=str(status.get("description") or ""),
        findings=tuple(basic + enhanced) if present else None,
        counts={name: int(count) for name, count in (parts[0].get("findingSeverityCounts") or {}).items()},
        enhanced=status["status"] == "ACTIVE" or any("enhancedFindings" in part for part in parts),
        completed_at=parts[0].get("imageScanCompletedAt"),
    )


def _basic(finding: dict[str, Any]) -> Finding:
    attributes = {item["key"]: item.get("value") or "" for item in finding.get("attributes") or []}
    return Finding(
        id=finding.get("name") or "(no id)",
        severity=finding["severity"],
        package=attributes.get("package_name", ""),
        version=attributes.get("package_version", ""),
        fixed_in=attributes.get("fixed_in_version", ""),
    )


def _enhanced(finding: dict[str, Any]) -> list[Finding]:
    details = finding.get("packageVulnerabilityDetails") or {}
    name = details.get("vulnerabilityId") or finding.get("title") or "(no id)"
    packages = details.get("vulnerablePackages") or [{}]
    return [
        Finding(
            id=name,
            severity=finding["severity"],
            package=package.get("name") or "",
            version=package.get("version") or "",
            fixed_in=package.get("fixedInVersion") or ("" if finding.get("fixAvailable") != "NO" else "no fix"),
            fixable={"YES": True, "PARTIAL": True, "NO": False}.get(finding.get("fixAvailable") or ""),
            ecosystem=(package.get("packageManager") or "").lower(),
        )
        for package in packages
    ]
