"""The text of a release that waits, and of the decision about it."""

from __future__ import annotations

from scaffold.console.console import one_line
from scaffold.deployment.approval import Decision, WaitingRelease
from scaffold.service.history import Commit
from scaffold.views.place import moment, place

# More would scroll what is to be decided off a terminal of 24 lines.
_SHOWN = 8


def describe(release: WaitingRelease) -> list[str]:
    """What a person has to know before the decision."""
    since = f" since {moment(release.since)}" if release.since else ""
    lines = [f"The stage {release.stage} waits{since}."]
    if release.name:
        lines.append(f"release    {one_line(release.name)}")
    if release.version:
        lines.append(f"version    {release.version}")
    if release.commit:
        lines.append(f"commit     {release.commit}")
    lines.append(f"execution  {release.execution}")
    if release.pull_request:
        lines.append(f"merges     pull request {one_line(release.pull_request)}")
    if release.trial:
        until = f" until {moment(release.trial.until)}" if release.trial.until else ""
        lines += [
            f"try it     its tasks run and get no traffic{until}, but for requests with this header:",
            f"  curl -H '{one_line(release.trial.header)}' {one_line(release.trial.url)}",
        ]
    plan = [f"plan       {one_line(release.plan)}"] if release.plan else []
    return [*lines, *_commits(release), *plan]


def text(decision: Decision) -> str:
    """The result in several lines."""
    release, where = decision.release, place(decision.local, decision.account, decision.region)
    version = f"version {release.version}" if release.version else f"execution {release.execution}"
    if release.name:
        version = f"release {one_line(release.name)}"
    return "\n".join(
        [
            f"{decision.status} in {where}: {version} of {decision.service} in the stage {release.stage}.",
            "Next:",
            "  scaffold status  shows the stages of the pipeline",
        ]
    )


def one_commit(commit: Commit) -> str:
    """A commit on a line."""
    return f"{commit.id[:7]} {commit.subject}"


def _commits(release: WaitingRelease) -> list[str]:
    if release.commits is None:
        return ["commits    unknown here: run `git fetch`, or this is the first release to this stage"]
    if not release.commits:
        return ["commits    none since the last release to this stage"]
    shown = [f"  {one_commit(commit)}" for commit in release.commits[:_SHOWN]]
    more = len(release.commits) - len(shown)
    return ["commits    since the last release to this stage:", *shown, *([f"  and {more} more"] if more else [])]
