"""The text of the record of a release."""

from __future__ import annotations

from collections.abc import Iterator

from scaffold.console.console import one_line
from scaffold.deployment.release_notes import ReleaseNotesResult
from scaffold.views.place import place


def text(result: ReleaseNotesResult) -> str:
    """The result in several lines."""
    lines = [f"{result.service} {result.name} in {place(result.local, result.account, result.region)}"]
    lines += [f"  {name:<11}  {one_line(value)}" for name, value in _rows(result) if value]
    if result.notes is None:
        return "\n".join([*lines, "", "It has not got through production, so there are no notes."])
    notes = [f"  {one_line(note)}" for note in result.notes] or ["  no commit since the release before"]
    return "\n".join([*lines, "", "Commits", *notes])


def _rows(result: ReleaseNotesResult) -> Iterator[tuple[str, str | None]]:
    yield "version", result.version
    yield "commit", result.commit
    yield "image", result.digest
    if result.findings is not None:
        counted = [f"{number} {severity.lower()}" for severity, number in result.findings.items() if number]
        yield "scan", ", ".join(counted) or "no findings"
    yield "built", result.started
    yield "released", result.finished
    yield "approved by", result.approved_by
    yield "message", result.message
    yield "replaced", result.previous
    yield "execution", result.execution
