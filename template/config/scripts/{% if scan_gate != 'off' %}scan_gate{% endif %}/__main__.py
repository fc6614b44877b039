"""Fail the build of an image with scan findings that the policy does not allow.

    python3 config/scripts/scan_gate --repository NAME --digest sha256:... --policy config/policies/scan-policy.toml
      [--sbom FILE] [--findings FILE] [--report FILE]

ECR scans the packages of the operating system; in a registry with enhanced scanning, its findings are those of Amazon
Inspector and include packages of languages. With --sbom, Amazon Inspector looks for both kinds of packages in a
software bill of materials (SBOM), which is made of the image in the registry REPOSITORY_URI and kept in the file.

The gate opens only if there are findings of this digest and the policy allows all of them. It fails closed: errors,
timeouts and unknown values stop the release too. Exit codes: 0 open, 1 closed by findings, 2 usage error, 3 closed
because the findings could not be evaluated.
"""

from __future__ import annotations

import argparse
import json
import os
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
from finding import Finding
from policy import Policy, read_policy
from report import document, judge, show, test_report
from scan import wait_for_findings

OPEN, CLOSED_BY_FINDINGS, CLOSED_UNJUDGED = 0, 1, 3


def scan(arguments: argparse.Namespace, policy: Policy) -> tuple[Finding, ...]:
    """Scan the image.

    Raises:
        GateClosed: There are no findings that can be evaluated.
    """
    image = Image(arguments.repository, arguments.digest)
    if not arguments.sbom:
        return wait_for_findings(image, policy, poll_seconds=arguments.poll_seconds, sleep=time.sleep)
    # Only services that answer scan_engine with sbom have them.
    import inspector
    import sbom

    made = sbom.make(f"{os.environ['REPOSITORY_URI']}@{image.digest}", arguments.sbom, policy.timeout_minutes * 60)
    print(f"The SBOM has {len(made['components'])} components.", flush=True)
    return inspector.scan(arguments.sbom, policy)


def run(arguments: argparse.Namespace) -> int:
    """Scan the image, evaluate the findings and print the report; return the exit code."""
    policy = read_policy(arguments.policy)
    image = f"{arguments.repository}@{arguments.digest}"
    print(f"Scan gate: {image}, threshold {policy.threshold}", flush=True)
    findings = scan(arguments, policy)
    today = datetime.now(timezone.utc).date()
    verdicts = judge(findings, policy, today)
    print(show(verdicts, findings, policy, today), flush=True)
    if arguments.report:
        test_report(verdicts, findings).write(arguments.report, encoding="utf-8", xml_declaration=True)
    if arguments.findings:
        found = document(image, "sbom" if arguments.sbom else "basic", verdicts, findings, policy, today)
        arguments.findings.write_text(json.dumps(found), "utf-8")
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
    parser.add_argument("--sbom", type=Path, help="file to write the SBOM to (CycloneDX JSON), which is then scanned")
    parser.add_argument("--findings", type=Path, help="file to write the findings to (JSON)")
    parser.add_argument("--report", type=Path, help="file to write a test report to (JUnit XML)")
    parser.add_argument("--poll-seconds", type=float, default=10, help="most seconds between two requests (10)")
    arguments = parser.parse_args()
    if arguments.sbom and not os.environ.get("REPOSITORY_URI"):
        parser.error("with --sbom, set REPOSITORY_URI")
    try:
        return run(arguments)
    except GateClosed as closed:
        print(f"Scan gate closed: {closed}", file=sys.stderr)
        return CLOSED_UNJUDGED


if __name__ == "__main__":
    sys.exit(main())
