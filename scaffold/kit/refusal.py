"""The error about an answer that its question does not accept."""

from __future__ import annotations

from scaffold.core.errors import UsageError


class AnswerRefused(UsageError):
    """An answer is invalid.

    Attributes:
        question: The name of the question.
        reason: The rule that the answer breaks, as the kit words it.
    """

    def __init__(self, question: str, reason: str) -> None:
        sentence = " ".join(reason.split()).rstrip(".")
        sentence += "" if sentence.endswith("?") else "."
        super().__init__(
            f"Invalid answer to {question}: {sentence}",
            f"Give another one with `--data {question}=…` or in the answers file.",
        )
        self.question = question
        self.reason = sentence
