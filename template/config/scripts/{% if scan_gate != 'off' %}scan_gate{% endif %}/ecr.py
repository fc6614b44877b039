"""What the gate asks of ECR, through the `aws` command."""

from __future__ import annotations

import json
import os
import re
import subprocess
from dataclasses import dataclass
from typing import Any

from closed import GateClosed

CALL_SECONDS = 120
MOST_PAGES = 1000


class Refused(Exception):
    """ECR answered a call with an error."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message.rstrip(".") + "."


@dataclass(frozen=True)
class Finding:
    """One vulnerability in one package."""

    id: str
    severity: str
    package: str
    version: str
    fixed_in: str


@dataclass(frozen=True)
class Scan:
    """The state of the image's scan as ECR tells it at one moment.

    Attributes:
        status: ECR's word for it.
        description: ECR's explanation, mostly empty.
        findings: All of them, or None where the answer has no findings, which is not the same as none.
        counts: ECR's own count by severity.
        enhanced: Whether they are Inspector's findings, which may still grow.
        completed_at: When the scan was completed, as ECR writes it; None where it does not say.
    """

    status: str
    description: str
    findings: tuple[Finding, ...] | None
    counts: dict[str, int]
    enhanced: bool
    completed_at: str | float | None


class Image:
    """One image in ECR, named by its digest: a tag could mean another image by the time of the answer."""

    def __init__(self, repository: str, digest: str) -> None:
        self.repository = repository
        self.digest = digest

    def start_scan(self) -> None:
        """Ask for a scan.

        Raises:
            Refused: ECR does not start one.
        """
        # "Once a day" looks like throttling to the command, which would try again for minutes.
        self._call("start-image-scan", attempts=2)

    def scan(self) -> Scan | None:
        """Read the state of the scan with all pages of its findings, or None where there is no scan yet.

        Raises:
            GateClosed: ECR refuses, or its answer is not understood.
        """
        try:
            pages = self._pages()
        except Refused as refused:
            if refused.code == "ScanNotFoundException":
                return None
            raise GateClosed(f"ECR does not show the findings: {refused.message}") from refused
        try:
            return _read_scan(pages)
        except (KeyError, TypeError, AttributeError, ValueError, IndexError) as error:
            raise GateClosed(f"ECR's findings are not understood ({type(error).__name__}: {error}).") from error

    def _pages(self) -> list[dict[str, Any]]:
        """Fetch every page. The command's own paging keeps only the first page of these findings."""
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
        raise GateClosed("ECR's pages of findings do not end.")

    def _call(self, operation: str, *more: str, attempts: int = 8) -> dict[str, Any]:
        command = ["aws", "ecr", operation, "--repository-name", self.repository]
        command += ["--image-id", f"imageDigest={self.digest}", "--output", "json", *more]
        environment = {"AWS_MAX_ATTEMPTS": str(attempts), "AWS_RETRY_MODE": "standard", **os.environ, "AWS_PAGER": ""}
        try:
            done = subprocess.run(
                command, env=environment, capture_output=True, text=True, timeout=CALL_SECONDS, check=False
            )
        except FileNotFoundError as error:
            raise GateClosed("The aws command is not installed.") from error
        except subprocess.TimeoutExpired as error:
            raise GateClosed(f"`aws ecr {operation}` gave no answer within {CALL_SECONDS} s.") from error
        if done.returncode:
            message = " ".join(done.stderr.split()) or f"exit code {done.returncode}"
            code = re.search(r"An error occurred \((\w+)\)", message)
            raise Refused(code.group(1) if code else "", message)
        try:
            answer = json.loads(done.stdout)
        except ValueError as error:
            raise GateClosed(f"`aws ecr {operation}` did not answer JSON: {done.stdout[:80]!r}.") from error
        if not isinstance(answer, dict):
            raise GateClosed(f"`aws ecr {operation}` answered {done.stdout[:80]!r}.")
        return answer


def _read_scan(pages: list[dict[str, Any]]) -> Scan:
    status = pages[0]["imageScanStatus"]
    parts = [page.get("imageScanFindings") or {} for page in pages]
    # An answer without either of these carries no findings (yet); one with an empty list has none.
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
        )
        for package in packages
    ]
