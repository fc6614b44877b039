"""The comment on a pull request. The log comes from the pull request's code: it is shown as text, whatever it says."""

from __future__ import annotations

import re
from dataclasses import dataclass

MOST_LINES = 15
LONGEST_LINE = 200
# The fence around the lines is longer, and a comment has at most 10,240 characters.
LONGEST_TICKS = 20
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
# A test that passes may be about errors.
PASSED = re.compile(r"^\s*(?:✔|✓|√|ok\b)|\bPASSED\b|\.\.\. ok$")
# What test runners begin the reasons of failed tests with: that of Node, and pytest.
REASONS = re.compile(r"^(?:✖ failing tests:|=+ FAILURES =+)$")
# CodeBuild's own lines.
CONTAINER = "[Container]"
SEQUENCES = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]")
INVISIBLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]")


def failing_lines(log: list[str]) -> list[str]:
    """The first lines of a log that say what failed; the last ones where none does."""
    lines = [_clean(line) for line in log if not line.startswith(CONTAINER)]
    lines = [line for line in lines if line.strip()]
    reasons = [index for index, line in enumerate(lines) if REASONS.match(line)]
    failures = [index for index, line in enumerate(lines) if FAILURE.search(line) and not PASSED.search(line)]
    first = max(next(iter(reasons or failures), len(lines) - MOST_LINES), 0)
    # What is indented belongs to the line before: the file that a linter names, or a group of tests.
    before = lines[first - 1] if failures and first else " "
    if lines and lines[first].startswith(" ") and not (before.startswith(" ") or PASSED.search(before)):
        first -= 1
    return lines[first : first + MOST_LINES]


def _clean(line: str) -> str:
    """A line without what a terminal or a browser would not show as text."""
    text = INVISIBLE.sub("", SEQUENCES.sub("", line))
    return re.sub(f"`{{{LONGEST_TICKS},}}", "`" * LONGEST_TICKS, text)[:LONGEST_LINE]


@dataclass(frozen=True)
class Ended:
    """A build, as the comment shows it; without a status there is none yet.

    Attributes:
        seconds: How long it took.
        link: To its log; may be empty.
    """

    status: str = ""
    seconds: int = 0
    link: str = ""
    id: str = ""

    @property
    def ended(self) -> bool:
        """Whether it has ended."""
        return self.status not in ("", "IN_PROGRESS")

    @property
    def failed(self) -> bool:
        """Whether it has ended without success."""
        return self.ended and self.status != "SUCCEEDED"

    def title(self, what: str) -> str:
        """What it was, how it ended and after how long, with the link."""
        took = f" after {duration(self.seconds)}" if self.ended else ""
        more = f" [Log]({self.link})" if self.link else ""
        return f"**{what}: {RESULTS.get(self.status, 'ended')}**{took}.{more}"


def text(verdict: str, commit: str, tests: Ended, plan: Ended, lines: list[str], changes: str) -> str:
    """The comment.

    Args:
        verdict: The id of the build that writes it. Developers may repeat it, and start none with other commands.
        lines: Of the log of the tests, where they failed.
        changes: What the plan says; empty if it says nothing.
    """
    parts = [tests.title(f"Tests of `{commit[:12]}`")]
    if lines:
        runs = [len(run) for line in lines for run in re.findall("`+", line)]
        fence = "`" * max(3, *(run + 1 for run in runs), 0)
        parts.append("\n".join([f"{fence}text", *lines, fence]))
    parts.append(plan.title("Plan"))
    if changes:
        parts.append(changes)
    elif plan.status == "SUCCEEDED":
        parts.append("What it says could not be read: look at its log.")
    if tests.status == plan.status == "SUCCEEDED":
        parts.append("The checks approve this commit.")
    elif "" in (tests.status, plan.status):
        parts.append(
            "As many builds run as the account may run at once; the others start when one of them ends. If they have "
            f"not started in an hour: `aws codebuild retry-build --id {verdict}`."
        )
    if failed := [one for one in (tests, plan) if one.failed]:
        again = " and ".join(f"`aws codebuild retry-build --id {one.id}`" for one in failed)
        parts.append(f"The checks do not approve this commit. Push another one, or repeat what has failed: {again}.")
    return "\n\n".join(parts)


def duration(seconds: int) -> str:
    """A duration for people, such as `1 min 20 s`."""
    minutes, rest = divmod(seconds, 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
