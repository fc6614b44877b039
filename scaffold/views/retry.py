"""The text of a retried stage."""

from __future__ import annotations

from scaffold.deployment.retry import RetryResult
from scaffold.views.place import place


def text(result: RetryResult) -> str:
    """The result in several lines."""
    what = ", ".join(result.actions) or "all of its actions"
    return "\n".join(
        [
            f"The stage {result.stage} of {result.service} runs again in "
            f"{place(result.local, result.account, result.region)}: {what}.",
            "Next:",
            "  scaffold status  shows the stages of the pipeline",
        ]
    )
