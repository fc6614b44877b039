"""The kit's questions, evaluated as Copier evaluates them, but before anything is written.

Copier judges an answer while it generates. Judging it earlier, and at the prompt, needs the same
defaults, conditions, choices and validators; a property test compares the two.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jinja2
import yaml

from scaffold.core.errors import ScaffoldError, UsageError
from scaffold.kit.question import AnswerRefused, Question

CUSTOMIZE = "customize"


@dataclass(frozen=True)
class Answers:
    """Every question's value.

    Attributes:
        asked: What the service records: the answers to questions that are asked.
        computed: The values of all other questions, which follow from those.
    """

    asked: dict[str, Any] = field(default_factory=dict)
    computed: dict[str, Any] = field(default_factory=dict)

    @property
    def all(self) -> dict[str, Any]:
        """Both, as a template sees them."""
        return self.asked | self.computed


class Questionnaire:
    """All questions of a kit, in their order.

    Args:
        entries: What `copier.yml` says of each question, by name.
        environment: The Jinja environment that Copier would evaluate them in.
        root: The kit's files.
        version: What the kit's version is called, for values that mention it.
    """

    def __init__(
        self, entries: Mapping[str, Mapping[str, Any]], environment: jinja2.Environment, root: Path, version: str
    ) -> None:
        self.questions = {name: Question(name, details, environment) for name, details in entries.items()}
        self._root = root
        self._version = version

    @property
    def names(self) -> list[str]:
        """The names that a person may answer."""
        return [name for name, question in self.questions.items() if not question.computed]

    def evaluate(self, given: Mapping[str, Any], *, customize: bool = True, complete: bool = True) -> Answers:
        """Fill in and validate everything.

        Args:
            given: Answers by question; defaults stand for the rest.
            customize: Turn `customize` on where an answer was given that is asked only under it.
            complete: Also compute what follows from the answers after the last one.

        Raises:
            AnswerRefused: An answer is not possible, or belongs to a question that is not asked.
        """
        answers = Answers()
        last_asked = self.names[-1] if self.names else None
        for name, question in self.questions.items():
            context = self.context(answers, given)
            try:
                asked = question.is_asked(context)
                if not asked and name in given:
                    if customize and CUSTOMIZE in self.questions and not answers.all.get(CUSTOMIZE):
                        return self.evaluate({**given, CUSTOMIZE: True}, customize=False, complete=complete)
                    raise _not_asked(question, answers)
                if asked:
                    answers.asked[name] = self.answer(name, given, context)
                elif not question.required:
                    answers.computed[name] = question.default(context)
            except jinja2.TemplateError as error:
                raise ScaffoldError(
                    f"The kit cannot work out {name}: {error.message or error}.",
                    "Change the answers it depends on; if they are right, tell the kit's owners.",
                ) from error
            if name == last_asked and not complete:
                break
        return answers

    def answer(self, name: str, given: Mapping[str, Any], context: Mapping[str, Any]) -> Any:
        """The value of a question that is asked: what was given for it, or its default, validated.

        Args:
            name: The question.
            given: Answers by question.
            context: The answers so far.

        Raises:
            AnswerRefused: It breaks the question's rule, or is missing where there is no default.
        """
        question = self.questions[name]
        if name not in given and question.required:
            raise AnswerRefused(name, "it has no default")
        value = question.parse(given[name], context) if name in given else question.default(context)
        question.validate(value, context)
        return value

    def context(self, answers: Answers, given: Mapping[str, Any]) -> dict[str, Any]:
        """What a question's templates see.

        Args:
            answers: The values so far.
            given: What was answered explicitly.
        """
        return {
            **answers.all,
            "_copier_answers": {"_commit": self._version, **answers.asked},
            "_copier_conf": {"data": dict(given), "overwrite": False},
            "_copier_phase": "prompt",
        }

    def groups(self) -> list[tuple[str, list[str]]]:
        """The order and titles in which a person is asked, from the kit's `includes/groups.yml` where it has one."""
        path = self._root / "includes" / "groups.yml"
        if not path.is_file():
            return [("Answer", self.names)]
        groups = [(str(entry["title"]), list(entry["questions"])) for entry in yaml.safe_load(path.read_bytes())]
        grouped = {name for _, members in groups for name in members}
        rest = [name for name in self.names if name not in grouped]
        return [*groups, ("More", rest)] if rest else groups


def _not_asked(question: Question, answers: Answers) -> UsageError:
    because = ", ".join(f"{name}={answers.all[name]}" for name in sorted(question.depends_on & answers.all.keys()))
    return UsageError(
        f"{question.name} was answered but is not asked{f' with {because}' if because else ''}.",
        f"Leave {question.name} out, or change the answers it depends on.",
    )
