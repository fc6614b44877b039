"""What people are told of a release that waits for approval: its changes, its commits and the findings of its image."""

from __future__ import annotations

from typing import Any

from aws_cli import Problem
from plan_changes import Planned
from commits import Clone
from release_record import PRODUCTION, find, record_key

MOST_COMMITS = 20
SEVERITIES = ("CRITICAL", "HIGH", "MEDIUM", "LOW")


def approval_message(given: dict[str, str], planned: list[Planned]) -> str:
    """The text of the message.

    What cannot be read is named in it, and does not hold the release up.

    Args:
        given: The variables of the plan.
    """
    stage = f"Approve-{given['ENVIRONMENT_NAME'][:1].upper()}{given['ENVIRONMENT_NAME'][1:]}"
    lines = [
        f"{given['APP_NAME']}: the release {given['RELEASE_NAME']} waits for approval in the stage {stage}.",
        given["PIPELINE_PAGE"],
        "",
        f"What changes in {given['ENVIRONMENT_NAME']}:",
        *(f"- {one.summary}" for one in planned if one.changes),
        "",
    ]
    try:
        lines += commits(given["APP_NAME"], given["ARTIFACT_BUCKET"], given["COMMIT"])
    except Problem as problem:
        lines.append(f"The commits since production could not be read: {problem}.")
    try:
        lines += findings(find(given["ARTIFACT_BUCKET"], record_key(given["RELEASE_NAME"])))
    except Problem as problem:
        lines += ["", f"The findings of the image could not be read: {problem}."]
    return "\n".join(lines) + "\n"


def commits(app: str, bucket: str, commit: str) -> list[str]:
    """The subjects of the commits since the release that production has, the newest first.

    Raises:
        Problem: They cannot be read.
    """
    before = find(bucket, PRODUCTION)
    with Clone(app) as clone:
        subjects = clone.subjects(before["commit"] if before else None, commit)
    since = f"since the release {before['name']}, which production has" if before else "of the first release"
    if not subjects:
        return [f"There are no commits {since}."]
    more = [f"- and {len(subjects) - MOST_COMMITS} or more"] if len(subjects) > MOST_COMMITS else []
    return [f"Commits {since}:", *(f"- {one}" for one in subjects[:MOST_COMMITS]), *more]


def findings(record: dict[str, Any] | None) -> list[str]:
    """The findings of the scan, by severity; nothing without a scan."""
    if record is None or record["findings"] is None:
        return []
    counts = record["findings"]["counts"]
    known = [one for one in SEVERITIES if one in counts]
    listed = ", ".join(f"{counts[one]} {one.lower()}" for one in known + sorted(set(counts) - set(known)))
    return ["", f"Findings of the image scan: {listed or 'none'}."]
