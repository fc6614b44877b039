"""What people are told of a release that waits for approval: changes, commits, costs and the findings of its image."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from aws_cli import Problem
from commits import Clone
from plan_changes import Planned
from plan_costs import Prices, monthly
from release_record import PRODUCTION, find, record_key

MOST_COMMITS = 20
SEVERITIES = ("CRITICAL", "HIGH", "MEDIUM", "LOW")


def approval_message(given: dict[str, str], planned: list[Planned], trial: list[str]) -> str:
    """The text of the message.

    What cannot be read is named in it, and does not hold the release up.

    Args:
        given: The variables of the plan.
        trial: How people try the release, if it is approved while its tasks run.
    """
    stage = f"{given['ENVIRONMENT_NAME'][:1].upper()}{given['ENVIRONMENT_NAME'][1:]}"
    waits = f"will wait for approval in the stage {stage}"
    if not trial:
        waits = f"waits for approval in the stage Approve-{stage}"
    lines = [
        f"{given['APP_NAME']}: the release {given['RELEASE_NAME']} {waits}.",
        given["PIPELINE_PAGE"],
        "",
        *trial,
        f"What changes in {given['ENVIRONMENT_NAME']}:",
        *(f"- {one.summary}" for one in planned if one.changes),
        "",
    ]
    try:
        before = find(given["ARTIFACT_BUCKET"], PRODUCTION)
        with Clone(given["APP_NAME"]) as clone:
            lines += commits(clone, before, given["COMMIT"])
            lines += costs(clone, before, given["COMMIT"], given["ENVIRONMENT_NAME"])
    except Problem as problem:
        lines.append(f"Commits and costs since production could not be read: {problem}.")
    try:
        lines += findings(find(given["ARTIFACT_BUCKET"], record_key(given["RELEASE_NAME"])))
    except Problem as problem:
        lines += ["", f"The findings of the image could not be read: {problem}."]
    return "\n".join(lines) + "\n"


def commits(clone: Clone, before: dict[str, Any] | None, commit: str) -> list[str]:
    """The subjects of the commits since the release that production has, the newest first.

    Raises:
        Problem: They cannot be read.
    """
    subjects = clone.subjects(before["commit"] if before else None, commit)
    since = f"since the release {before['name']}, which production has" if before else "of the first release"
    if not subjects:
        return [f"There are no commits {since}."]
    more = [f"- and {len(subjects) - MOST_COMMITS} or more"] if len(subjects) > MOST_COMMITS else []
    return [f"Commits {since}:", *(f"- {one}" for one in subjects[:MOST_COMMITS]), *more]


def costs(clone: Clone, before: dict[str, Any] | None, commit: str, environment: str) -> list[str]:
    """What the environment costs without traffic; nothing where its files do not say it.

    Raises:
        Problem: The files cannot be read.
    """
    sums = []
    for revision in [commit, *([before["commit"]] if before else [])]:
        with tempfile.TemporaryDirectory() as folder:
            clone.extract(revision, "infrastructure", Path(folder).resolve())
            sums.append(monthly(environment, Prices.read(), Path(folder).resolve()))
    if sums[0] is None:
        return []
    was = sums[-1] if before else None
    change = "" if was is None else f", {sums[0] - was:+.2f} USD" if was != sums[0] else ", as before"
    return ["", f"{environment} costs about {sums[0]:.2f} USD a month without traffic{change}."]


def findings(record: dict[str, Any] | None) -> list[str]:
    """The findings of the scan, by severity; nothing without a scan."""
    if record is None or record["findings"] is None:
        return []
    counts = record["findings"]["counts"]
    known = [one for one in SEVERITIES if one in counts]
    listed = ", ".join(f"{counts[one]} {one.lower()}" for one in known + sorted(set(counts) - set(known)))
    return ["", f"Findings of the image scan: {listed or 'none'}."]
