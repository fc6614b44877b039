"""The service as both versions of the kit generate it."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from scaffold.core.errors import ScaffoldError, UsageError
from scaffold.kit.answers import merge
from scaffold.kit.questionnaire import Answers
from scaffold.kit.refusal import AnswerRefused
from scaffold.service.service import ANSWERS_FILE
from scaffold.update.kits import Versions
from scaffold.update.recorded import Recorded
from scaffold.update.repository import Repository

# The answers that AWS resources are found by.
_IDENTITY = ("app_name", "aws_region", "aws_account_id")


@dataclass(frozen=True)
class Renderings:
    """Both renderings, each in a folder in which the service has the path that it has in its repository.

    Attributes:
        answers: The new answers.
        dropped: Recorded answers that the new version does not accept, with the reason; their defaults apply.
        skips: Whether the kit leaves a file as it is where it exists, by its path in the service.
        same_answers: Whether the recorded answers apply to the new version without a change.
    """

    old: Path
    new: Path
    answers: Answers
    dropped: dict[str, str]
    skips: Callable[[Path], bool]
    same_answers: bool


def render(
    versions: Versions, recorded: Recorded, data: Mapping[str, str], repository: Repository, folder: Path
) -> Renderings:
    """Generate the service twice: with what is recorded, and with what it is updated to.

    Args:
        data: New answers.
        folder: An empty folder.

    Raises:
        AnswerRefused: A new answer is invalid.
        UsageError: The kit has no such question, does not ask it with these answers, or would generate another service.
        ScaffoldError: The kit cannot be rendered with the answers.
    """
    questionnaire = versions.new.questionnaire(recorded.root, recorded.answers)
    try:
        answers = questionnaire.evaluate(merge(questionnaire, data, None))
    except AnswerRefused as refused:
        raise refused.with_remedy(f"Give another one with `--data {refused.question}=…`.") from refused
    _check_identity(recorded, answers)
    new = folder / "new" / repository.top.name
    versions.new.render(answers, _place(new, repository))
    old = folder / "old" / repository.top.name
    try:
        before = versions.old.questionnaire(recorded.root, recorded.answers).evaluate({})
        versions.old.render(before, _place(old, repository), versions.new.exclude)
    except ScaffoldError as error:
        raise ScaffoldError(
            f"What {ANSWERS_FILE} records cannot be generated again: {error.happened}",
            f"Restore the answers that the last update has recorded; `git log -p -- {ANSWERS_FILE}` shows them.",
        ) from error
    kept = {name: value for name, value in answers.recorded.items() if name in recorded.answers}
    same = all(recorded.answers[name] == value for name, value in kept.items())
    dropped = {name: reason for name, reason in answers.draft.dropped.items() if name not in data}
    return Renderings(old, new, answers, dropped, answers.draft.skips_if_exists(), same)


def _check_identity(recorded: Recorded, answers: Answers) -> None:
    for name in _IDENTITY:
        old, new = recorded.answers.get(name), answers.recorded.get(name)
        if old and new and str(old) != str(new):
            raise UsageError(
                f"The update would make {recorded.name} another service: {name} would be {new} instead of {old}, and "
                "what is deployed would remain.",
                f"Leave {name} as it is. Generate another service with `scaffold new`; `scaffold destroy` deletes what "
                "this one has deployed.",
            )


def _place(top: Path, repository: Repository) -> Path:
    service = top / os.fsdecode(repository.prefix)
    service.parent.mkdir(parents=True, exist_ok=True)
    return service
