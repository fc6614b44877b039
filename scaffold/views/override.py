"""The text of a condition that blocks a release, and of its override."""

from __future__ import annotations

from scaffold.aws.pipeline_state import ConditionState
from scaffold.console.console import one_line
from scaffold.deployment.override import BlockedRelease, OverrideResult
from scaffold.views.place import place


def condition_line(condition: ConditionState) -> str:
    """A condition with its status and, where it is not met, the reason."""
    rules = f" ({', '.join(condition.rules)})" if condition.rules else ""
    why = f": {one_line(condition.summary)}" if condition.summary else ""
    return f"condition {condition.when} the stage{rules}: {condition.status}{why}"


def describe(release: BlockedRelease) -> list[str]:
    """What a person has to know before the override."""
    lines = [f"The stage {release.stage} is blocked.", condition_line(release.condition)]
    if release.commit:
        lines.append(f"commit     {release.commit}")
    return [*lines, f"execution  {release.execution}"]


def text(result: OverrideResult) -> str:
    """The result in several lines."""
    release, where = result.release, place(result.local, result.account, result.region)
    recorded = "a comment on the commit" if release.commit else "a message of the notification topic"
    when = release.condition.when
    told = f"; the notification topic has no message: {result.not_told}" if result.not_told else ""
    return "\n".join(
        [
            f"The condition {when} the stage {release.stage} of {result.service} is overridden in {where}.",
            f"The reason is recorded in {recorded}{told.rstrip('.')}.",
            "Next:",
            "  scaffold status  shows the stages of the pipeline",
        ]
    )
