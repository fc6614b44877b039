"""A release on its way through the pipeline, as lines: stages, their actions, and how long each took."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from scaffold.aws.pipeline_state import ActionRun
from scaffold.console.console import one_line

_MARKS = {"Succeeded": "✓", "Failed": "✗", "InProgress": "…"}
_MINUTE = 60


def lines(runs: Sequence[ActionRun], *, redrawn: bool, now: datetime | None = None) -> list[str]:
    """The actions of a release below their stages.

    Args:
        runs: In the order in which they started.
        redrawn: Whether lines replace those shown before. Otherwise each line names its stage, and changes only when
            its action does.
        now: Until when actions in progress are measured; None for this moment.
    """
    if not redrawn:
        return [f"{_MARKS.get(run.status, '-')} {run.stage}: {run.name}{_took(run)}{_detail(run)}" for run in runs]
    now = now or datetime.now(UTC)
    shown = []
    for stage in dict.fromkeys(run.stage for run in runs):
        actions = [run for run in runs if run.stage == stage]
        shown.append(f"{stage}{_suffix(seconds(actions, now))}")
        shown += [
            f"  {_MARKS.get(run.status, '-')} {run.name}{_suffix(seconds([run], now))}{_detail(run)}" for run in actions
        ]
    return shown


def seconds(runs: Sequence[ActionRun], now: datetime | None = None) -> float | None:
    """How long actions took together; None where none has ended.

    Args:
        now: Until when actions in progress are measured; None leaves them out.
    """
    starts = [run.started for run in runs if run.started]
    ends = [run.ended or now for run in runs]
    known = [end for end in ends if end]
    return max((max(known) - min(starts)).total_seconds(), 0) if starts and known else None


def duration(length: float) -> str:
    """A number of seconds as text."""
    minutes, rest = divmod(round(length), _MINUTE)
    return f"{minutes} min {rest:02} s" if minutes else f"{rest} s"


def _took(run: ActionRun) -> str:
    return "" if run.status == "InProgress" else _suffix(seconds([run]))


def _suffix(length: float | None) -> str:
    return "" if length is None else f"  {duration(length)}"


def _detail(run: ActionRun) -> str:
    if run.category == "Approval" and run.status == "InProgress":
        return ": waits for approval"
    return f": {one_line(run.reason)}" if run.status == "Failed" and run.reason else ""
