"""The text of a retried stage."""

from __future__ import annotations

from scaffold.deployment.retry import RetryResult
from scaffold.views.place import place


def text(result: RetryResult) -> str:
    """The result in several lines."""
    if result.enabled:
        return "\n".join(_enabled(result))
    what = ", ".join(result.actions) or "all of its actions"
    return "\n".join(
        [
            f"The stage {result.stage} of {result.service} runs again in "
            f"{place(result.local, result.account, result.region)}: {what}.",
            "Next:",
            "  scaffold status  shows the stages of the pipeline",
        ]
    )


def _enabled(result: RetryResult) -> list[str]:
    enters = f"the execution {result.execution} enters it" if result.execution else "the next release enters it"
    where = place(result.local, result.account, result.region)
    lines = [
        f"The transition into the stage {result.stage} of {result.service} is enabled again in {where}: {enters}.",
        "Next:",
        "  scaffold status  shows the stages of the pipeline",
    ]
    if result.failed and not result.execution:
        lines.append(f"  scaffold retry {result.failed}  runs what failed before the rollback again")
    return lines
