"""Wait for findings that can be relied on."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timezone

from closed import GateClosed
from ecr import Finding, Image, Refused, Scan
from policy import Policy

WAITING = ("PENDING", "IN_PROGRESS")
FINISHED = ("COMPLETE", "ACTIVE")

# Inspector says COMPLETE or ACTIVE before all of its findings are there: they count once they have stayed
# the same for some looks, and for longer where there are none at all.
STEADY_LOOKS = 3
STEADY_LOOKS_WHEN_EMPTY = 6


def wait_for_findings(
    image: Image, policy: Policy, poll_seconds: float, sleep: Callable[[float], None]
) -> tuple[Finding, ...]:
    """Have the image scanned and return all findings of a finished scan.

    Args:
        image: The image to scan.
        policy: How long to wait, and which severities matter.
        poll_seconds: The pause between two looks.
        sleep: How to pause.

    Raises:
        GateClosed: There are no findings to rely on: the scan failed, took too long, or is not understood.
    """
    earlier = image.scan()
    started = _start(image)
    deadline = time.monotonic() + policy.timeout_minutes * 60
    previous: Scan | None = None
    looks, said = 0, ""
    while True:
        scan = image.scan()
        looks = looks + 1 if scan == previous else 1
        previous = scan
        outdated = earlier.completed_at if started and earlier else None
        missing = _missing(scan, policy, looks, outdated)
        if not missing and scan and scan.findings is not None:
            if not started:
                print(f"These are the findings of the scan {_age(scan.completed_at)}.", flush=True)
            return scan.findings
        if missing != said:
            print(f"Waiting: {missing}", flush=True)
            said = missing
        if time.monotonic() + poll_seconds > deadline:
            raise GateClosed(f"There was no result within {policy.timeout_minutes:g} minutes: {missing}.")
        sleep(poll_seconds)


def _start(image: Image) -> bool:
    """Start a scan, and say whether ECR did."""
    try:
        image.start_scan()
    except Refused as refused:
        if refused.code == "LimitExceededException":
            print("ECR scans an image once in 24 hours and did so already: using what that scan found.", flush=True)
            return False
        if refused.code == "ValidationException":
            # So answers a registry with enhanced scanning, where Inspector starts scans by itself.
            print(f"ECR takes no request for a scan, waiting for its own: {refused.message}", flush=True)
            return False
        raise GateClosed(f"ECR does not scan the image: {refused.message}") from refused
    return True


def _missing(scan: Scan | None, policy: Policy, looks: int, outdated: str | float | None) -> str:
    """Say what is still missing before the findings can be relied on; nothing where nothing is.

    Raises:
        GateClosed: Waiting will not help.
    """
    if scan is None:
        return "there is no scan of this image yet"
    if scan.status in WAITING:
        return f"the scan is {scan.status}"
    if scan.status not in FINISHED:
        because = f": {scan.description}" if scan.description else ""
        raise GateClosed(f"The scan of the image ended as {scan.status}{because}.")
    if scan.findings is None:
        return f"the scan is {scan.status}, but its findings are not there"
    if outdated is not None and scan.completed_at == outdated:
        return "ECR still shows the scan before this one"
    # Each of these also closes the gate at a severity that it does not know.
    listed = Counter(finding.severity for finding in scan.findings)
    relevant = {severity for severity in (*scan.counts, *listed) if policy.reaches_threshold(severity)}
    for severity in sorted(relevant):
        if scan.counts.get(severity, 0) > listed[severity]:
            return f"ECR counts {scan.counts[severity]} {severity} findings, but lists {listed[severity]}"
    steady = STEADY_LOOKS if scan.findings else STEADY_LOOKS_WHEN_EMPTY
    if scan.enhanced and looks < steady:
        return "the findings may still grow"
    return ""


def _age(completed_at: str | float | None) -> str:
    """Word the moment of a scan: ECR gives it as a number of seconds or in ISO form, as the client is set up."""
    try:
        if isinstance(completed_at, str):
            moment = datetime.fromisoformat(completed_at)
        else:
            moment = datetime.fromtimestamp(float(completed_at), timezone.utc)  # type: ignore[arg-type]
        hours = (datetime.now(timezone.utc) - moment).total_seconds() / 3600
    except (TypeError, ValueError, OverflowError):
        return "of an unknown time"
    return f"of {moment.astimezone(timezone.utc):%Y-%m-%d %H:%M} UTC, {hours:.1f} hours ago"
