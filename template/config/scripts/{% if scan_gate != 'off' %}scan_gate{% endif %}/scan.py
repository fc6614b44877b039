"""Wait for the complete findings of a scan."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timezone

from aws_cli import Refused

from closed import GateClosed
from ecr import Image, Scan
from finding import Finding
from policy import Policy

WAITING = ("PENDING", "IN_PROGRESS")
FINISHED = ("COMPLETE", "ACTIVE")

# Amazon Inspector reports COMPLETE or ACTIVE before all of its findings are available: they count once several
# responses in a row are equal, and more of them if there are no findings.
STEADY_LOOKS = 3
STEADY_LOOKS_WHEN_EMPTY = 6

# A scan often takes a few seconds: the first requests follow each other sooner, as long as it runs.
FIRST_PAUSE_SECONDS = 1.0


def wait_for_findings(
    image: Image, policy: Policy, poll_seconds: float, sleep: Callable[[float], None]
) -> tuple[Finding, ...]:
    """Scan the image and return all findings of the finished scan, of ECR's basic or of its enhanced scanning.

    Args:
        image: The image to scan.
        policy: The timeout and the threshold.
        poll_seconds: The seconds between two requests, and the most while the scan runs.
        sleep: The function that waits between them.

    Raises:
        GateClosed: The scan failed, timed out, has a response of an unknown format, or cannot serve the policy.
    """
    earlier = image.scan()
    started = _start(image)
    deadline = time.monotonic() + policy.timeout_minutes * 60
    previous: Scan | None = None
    looks, said, pause = 0, "", min(FIRST_PAUSE_SECONDS, poll_seconds)
    while True:
        scan = image.scan()
        looks = looks + 1 if scan == previous else 1
        previous = scan
        outdated = earlier.completed_at if started and earlier else None
        missing = _missing(scan, policy, looks, outdated)
        if not missing and scan and scan.findings is not None:
            if not started:
                print(f"Using the findings of the scan {_age(scan.completed_at)}.", flush=True)
            if policy.only_fixed and not scan.enhanced:
                raise GateClosed(
                    "The policy's only_fixed needs to know which findings can be fixed, and ECR's basic scans do not"
                    " say; remove it, or answer scan_engine with sbom."
                )
            return scan.findings
        if missing != said:
            print(f"Waiting: {missing}", flush=True)
            said = missing
        if scan is not None and scan.status not in WAITING:
            pause = poll_seconds
        if time.monotonic() + pause > deadline:
            raise GateClosed(f"The scan timed out after {policy.timeout_minutes:g} minutes: {missing}.")
        sleep(pause)
        pause = min(2 * pause, poll_seconds)


def _start(image: Image) -> bool:
    """Start a scan; return whether ECR started one."""
    try:
        image.start_scan()
    except Refused as refused:
        if refused.code == "LimitExceededException":
            print("ECR scans an image once in 24 hours and has done so already: using that scan.", flush=True)
            return False
        if refused.code == "ValidationException":
            # The error of a registry with enhanced scanning, where Amazon Inspector starts the scans.
            print(f"ECR does not start a scan on request, waiting for its own scan: {refused.message}.", flush=True)
            return False
        raise GateClosed(f"ECR does not scan the image: {refused.message}.") from refused
    return True


def _missing(scan: Scan | None, policy: Policy, looks: int, outdated: str | float | None) -> str:
    """What is still missing before the findings are complete; empty if they are.

    Raises:
        GateClosed: The scan ended without findings.
    """
    if scan is None:
        return "there is no scan of this image yet"
    if scan.status in WAITING:
        return f"the scan is {scan.status}"
    if scan.status not in FINISHED:
        because = f": {scan.description}" if scan.description else ""
        raise GateClosed(f"The scan of the image ended with the status {scan.status}{because}.")
    if scan.findings is None:
        return f"the scan is {scan.status}, but its findings are not available"
    if outdated is not None and scan.completed_at == outdated:
        return "ECR still returns the previous scan"
    # reaches_threshold also raises GateClosed for an unknown severity.
    listed = Counter(finding.severity for finding in scan.findings)
    relevant = {severity for severity in (*scan.counts, *listed) if policy.reaches_threshold(severity)}
    for severity in sorted(relevant):
        if scan.counts.get(severity, 0) > listed[severity]:
            return f"ECR counts {scan.counts[severity]} {severity} findings, but returns {listed[severity]}"
    steady = STEADY_LOOKS if scan.findings else STEADY_LOOKS_WHEN_EMPTY
    if scan.enhanced and looks < steady:
        return "Amazon Inspector may still add findings"
    return ""


def _age(completed_at: str | float | None) -> str:
    """Format the time of a scan; the AWS CLI prints a Unix timestamp or ISO 8601, depending on its configuration."""
    try:
        if isinstance(completed_at, str):
            moment = datetime.fromisoformat(completed_at)
        else:
            moment = datetime.fromtimestamp(float(completed_at), timezone.utc)  # type: ignore[arg-type]
        hours = (datetime.now(timezone.utc) - moment).total_seconds() / 3600
    except (TypeError, ValueError, OverflowError):
        return "of an unknown time"
    return f"of {moment.astimezone(timezone.utc):%Y-%m-%d %H:%M} UTC, {hours:.1f} hours ago"
