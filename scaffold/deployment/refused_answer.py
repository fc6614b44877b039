"""The refusal of an answer that does not fit the account."""

from __future__ import annotations

from scaffold.core.errors import ScaffoldError


def refused(happened: str, question: str) -> ScaffoldError:
    """What happened, and how to answer the question again."""
    return ScaffoldError(
        happened,
        f"Answer {question} again (`scaffold update --to current --data {question}=…`, or in "
        "environment_overrides), commit, and run the same command again.",
    )
