"""Fail the build of an image with scan findings that the policy does not allow.

    python3 config/scripts/scan_gate --repository NAME --digest sha256:... --policy config/policies/scan-policy.toml
      [--findings FILE]

The gate opens only if ECR returns the findings of this digest and the policy allows all of them. It fails closed:
errors, timeouts and unknown values stop the release too. Exit codes: 0 open, 1 closed by findings, 2 usage error,
3 closed because the findings could not be evaluated.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from datetime import datetime, timezone
from pathlib import Path

if sys.version_info < (3, 11):
    sys.exit("The scan gate needs Python 3.11 or newer.")
# For aws_cli, which all scripts share.
sys.path.append(str(Path(__file__).resolve().parents[1]))

from closed import GateClosed
from ecr import Image
from policy import read_policy
from report import document, judge, show
from scan import wait_for_findings

OPEN, CLOSED_BY_FINDINGS, CLOSED_UNJUDGED = 0, 1, 3


def run(arguments: argparse.Namespace) -> int:
    """Scan the image, evaluate the findings and print the report; return the exit code."""
    policy = read_policy(arguments.policy)
    image = Image(arguments.repository, arguments.digest)
    print(f"Scan gate: {image.repository}@{image.digest}, threshold {policy.threshold}", flush=True)
    findings = wait_for_findings(image, policy, poll_seconds=arguments.poll_seconds, sleep=time.sleep)
    today = datetime.now(timezone.utc).date()
    verdicts = judge(findings, policy, today)
    print(show(verdicts, findings, policy, today), flush=True)
    if arguments.findings:
        arguments.findings.write_text(json.dumps(document(image, verdicts, findings, policy, today)), "utf-8")
    blocking = [verdict.finding.id for verdict in verdicts if verdict.blocks]
    if not blocking:
        print("Scan gate open.")
        return OPEN
    names = ", ".join(blocking[:5]) + (", ..." if len(blocking) > 5 else "")
    print(
        f"Scan gate closed: {len(blocking)} finding{'s' * (len(blocking) > 1)} not allowed ({names}); update the"
        f" affected packages, or add an exception with an expiry date to {arguments.policy}.",
        file=sys.stderr,
    )
    return CLOSED_BY_FINDINGS


def main() -> int:
    parser = argparse.ArgumentParser(prog="scan_gate", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--repository", required=True, help="name of the ECR repository")
    parser.add_argument("--digest", required=True, help="digest of the image, sha256:...")
    parser.add_argument("--policy", required=True, type=Path, help="the policy file (TOML)")
    parser.add_argument("--findings", type=Path, help="file to write the findings to (JSON)")
    parser.add_argument("--poll-seconds", type=float, default=10, help="most seconds between two requests (10)")
    arguments = parser.parse_args()
    try:
        return run(arguments)
    except GateClosed as closed:
        print(f"Scan gate closed: {closed}", file=sys.stderr)
        return CLOSED_UNJUDGED


if __name__ == "__main__":
    sys.exit(main())
