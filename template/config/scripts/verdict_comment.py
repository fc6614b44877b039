"""The comment on a pull request. The log comes from the pull request's code: it is shown as text, whatever it says."""

from __future__ import annotations

import re

MOST_LINES = 15
LONGEST_LINE = 200
RESULTS = {
    "": "waiting for CodeBuild",
    "IN_PROGRESS": "running",
    "SUCCEEDED": "succeeded",
    "FAILED": "failed",
    "FAULT": "failed, through a fault of CodeBuild",
    "STOPPED": "stopped",
    "TIMED_OUT": "timed out",
}
FAILURE = re.compile(r"✖|\bnot ok\b|\b(?:closed|error|failed|failure|fatal|stopped)\b", re.IGNORECASE)
# CodeBuild's own lines.
CONTAINER = "[Container]"
SEQUENCES = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]")
INVISIBLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]")


def failing_lines(log: list[str]) -> list[str]:
    """The first lines of a log that say what failed; the last ones where none does."""
    lines = [_clean(line) for line in log if not line.startswith(CONTAINER)]
    lines = [line for line in lines if line.strip()]
    first = next((index for index, line in enumerate(lines) if FAILURE.search(line)), len(lines) - MOST_LINES)
    return lines[max(first, 0) :][:MOST_LINES]


def _clean(line: str) -> str:
    """A line without what a terminal or a browser would not show as text."""
    return INVISIBLE.sub("", SEQUENCES.sub("", line))[:LONGEST_LINE]


def text(app: str, commit: str, status: str, seconds: int, link: str, build: str, lines: list[str]) -> str:
    """The comment.

    Args:
        status: That of the build in CodeBuild; empty if there is none.
        seconds: How long it took.
        link: To the log of the build; may be empty.
        build: The id of the build.
        lines: Of the log, where it failed.
    """
    ended = status not in ("", "IN_PROGRESS")
    took = f" after {duration(seconds)}" if ended else ""
    more = f" [Log]({link})" if link else ""
    parts = [f"**Tests of `{commit[:12]}`: {RESULTS.get(status, 'ended')}**{took}.{more}"]
    if lines:
        runs = [len(run) for line in lines for run in re.findall("`+", line)]
        fence = "`" * max(3, *(run + 1 for run in runs), 0)
        parts.append("\n".join([f"{fence}text", *lines, fence]))
    if status == "SUCCEEDED":
        parts.append("The checks approve this commit.")
    elif not status:
        parts.append(
            "As many builds run as the account may run at once; the tests start when one of them ends. If they have "
            f"not started in an hour: `aws codebuild start-build --project-name {app}-pr-verdict`."
        )
    elif ended:
        parts.append(
            "The checks do not approve this commit. Push another one, or test this one again: "
            f"`aws codebuild retry-build --id {build}`."
        )
    return "\n\n".join(parts)


def duration(seconds: int) -> str:
    """A duration for people, such as `1 min 20 s`."""
    minutes, rest = divmod(seconds, 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
