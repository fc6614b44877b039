"""The text of the past releases of an environment."""

from __future__ import annotations

from collections.abc import Iterator

from scaffold.console.console import one_line
from scaffold.core.stand_in import WITHOUT_ENGINE
from scaffold.deployment.releases import PastRelease, ReleasesResult
from scaffold.views.place import moment, place

_TRIGGERS = {
    "AutomatedRollback": "rolled back by the pipeline",
    "CloudWatchEvent": "push",
    "CreatePipeline": "creation of the pipeline",
    "ManualRollback": "rolled back",
    "PollForSourceChanges": "push",
    "StartPipelineExecution": "started",
    "UpdatePipeline": "update of the pipeline",
}
# A rule's name would say no more than the word.
_BY_A_RULE = {"AutomatedRollback", "CloudWatchEvent", "PollForSourceChanges"}


def text(result: ReleasesResult) -> str:
    """The result in several lines."""
    lines = [
        f"{result.service}/{result.environment} in {place(result.local, result.account, result.region)}",
        _now(result),
    ]
    if not result.releases:
        lines += ["", f"No release has reached {result.environment} yet."]
    for release in result.releases:
        lines += ["", *_release(release)]
    return "\n".join(lines)


def _now(result: ReleasesResult) -> str:
    if result.answers is not None:
        engine = f", {WITHOUT_ENGINE}" if result.stand_in else ""
        return f"{one_line(result.answers)} answers at {result.url}{engine}"
    return f"{result.url} {one_line(result.no_answer or '')}" if result.url else "no URL before the first release"


def _release(one: PastRelease) -> Iterator[str]:
    version = one_line(one.version or "unknown version")
    yield f"{one_line(one.name or version)}  {_outcome(one)}{', answers now' if one.answers else ''}"
    if one.name:
        yield f"  version    {version}"
    tags = one_line(", ".join(one.tags))
    yield f"  commit     {one.commit[:7] if one.commit else 'unknown'}{f' ({tags})' if tags else ''}"
    if one.started:
        yield f"  when       {moment(one.started)}{f' to {moment(one.ended)}' if one.ended else ''}"
    yield f"  cause      {_cause(one)}"
    if one.approved_by:
        yield f"  decided by {one_line(one.approved_by)}"
    yield f"  execution  {one.execution}"


def _outcome(one: PastRelease) -> str:
    if one.waits:
        return "waits for approval"
    words = "in progress" if one.outcome == "InProgress" else one.outcome.lower()
    return f"{words}, {one_line(one.reason)}" if one.reason and one.outcome != "Succeeded" else words


def _cause(one: PastRelease) -> str:
    words = _TRIGGERS.get(one.trigger or "", one.trigger or "unknown")
    by = f" by {one_line(one.started_by)}" if one.started_by and one.trigger not in _BY_A_RULE else ""
    return f"{words}{by}{f' to execution {one.rollback_of}' if one.rollback_of else ''}"
