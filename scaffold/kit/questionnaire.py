"""The order of a kit's questions, and the answers to all of them, validated before anything is written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from scaffold.core.errors import UsageError

if TYPE_CHECKING:
    from scaffold.kit.engine.draft import Draft
    from scaffold.kit.engine.question import Question
    from scaffold.kit.engine.template import Template

CUSTOMIZE = "customize"
EACH = "_each"
MASK = "********"


@dataclass(frozen=True)
class Answers:
    """The values of all questions, in Copier's terms.

    Attributes:
        recorded: What the service's answers file gets: the answers to active questions, secret ones left out.
        computed: The values of skipped questions, which follow from the active ones.
        draft: All of them, as they are rendered.
    """

    recorded: dict[str, Any]
    computed: dict[str, Any]
    draft: Draft = field(repr=False, compare=False)

    @classmethod
    def of(cls, draft: Draft) -> Answers:
        """The answers of a draft that has a value, or is skipped, for every question."""
        return cls(draft.recorded, draft.computed, draft)

    @property
    def all(self) -> dict[str, Any]:
        """Every value, as templates see them."""
        return self.draft.values


class Questionnaire:
    """The questions of a kit.

    Args:
        destination: The service's folder; None if it will be named after the answer to app_name.
        recorded: The answers file of a service that is updated.
    """

    def __init__(
        self, template: Template, destination: Path | None = None, recorded: Mapping[str, Any] | None = None
    ) -> None:
        self._template = template
        self._destination = destination
        self._recorded = recorded

    @property
    def names(self) -> list[str]:
        """The questions that can be answered, in their order."""
        return [
            name for name, entry in self._template.entries.items() if entry.get("when", True) not in (False, "false")
        ]

    @property
    def secrets(self) -> set[str]:
        """The questions whose answers are neither recorded nor shown."""
        return self._template.secrets

    def begin(self, given: Mapping[str, Any]) -> Draft:
        """Start a pass over the questions, with the answers that were given."""
        from scaffold.kit.engine.draft import Draft

        return Draft(self._template, given, self._destination, self._recorded)

    def question(self, name: str, values: Mapping[str, Any]) -> Question:
        """A question, evaluated with the parsed answers to others."""
        draft = self.begin({})
        for other, value in values.items():
            draft.put(other, value)
        return draft.question(name)

    def evaluate(self, given: Mapping[str, Any], *, customize: bool = True) -> Answers:
        """Fill in what is recorded, then defaults, and validate everything, without prompts.

        Args:
            customize: Turn `customize` on if an answer was given to a question that is active only with it.

        Raises:
            AnswerRefused: An answer is invalid, or a required one is missing.
            UsageError: An answer was given to a question that is skipped.
            ScaffoldError: The kit cannot evaluate a question.
        """
        draft = self.begin(given)
        for name in self.all_names:
            question = draft.question(name)
            draft.check_recorded(question)
            if not question.active:
                if name in given:
                    if customize and CUSTOMIZE in self.all_names and not draft.values.get(CUSTOMIZE):
                        return self.evaluate({**given, CUSTOMIZE: True}, customize=False)
                    raise self._skipped(name, draft)
                draft.skip(question)
            elif name in given:
                draft.put(name, question.parse(given[name]))
            else:
                draft.take_default(question)
        return Answers.of(draft)

    @property
    def all_names(self) -> list[str]:
        """All questions in their order, the computed ones too."""
        return list(self._template.entries)

    def depends_on(self, name: str, field: str = "when") -> set[str]:
        """The variables in a question's condition, or in another field of its entry."""
        return self._template.depends_on(name, field)

    def groups(self) -> list[tuple[str, list[str]]]:
        """The titles and questions of the kit's `includes/groups.yml`; one group of all questions without it."""
        path = self._template.folder / "includes" / "groups.yml"
        if not path.is_file():
            return [("Answer", self.names)]
        groups = [(str(entry["title"]), list(entry["questions"])) for entry in yaml.safe_load(path.read_bytes())]
        grouped = {name for _, members in groups for name in members}
        rest = [name for name in self.names if name not in grouped]
        return [*groups, ("More", rest)] if rest else groups

    def takes_text(self, name: str) -> bool:
        """Whether the answer to a question is one text."""
        entry = self._template.entries[name]
        return entry.get("type", "str") == "str" and not entry.get("multiselect")

    def topics(self) -> dict[str, str]:
        """The questions that are asked only with `customize`, each with the title of its group."""
        if CUSTOMIZE not in self.names or self._template.entries[CUSTOMIZE].get("type") != "bool":
            return {}
        return {name: title for title, names in self.groups() for name in names if CUSTOMIZE in self.depends_on(name)}

    def meanings(self, name: str) -> dict[str, str]:
        """What the choices of a question mean, by the kit's `includes/choices.yml`; nothing without that.

        The key EACH has Jinja for what follows each of them.
        """
        path = self._template.folder / "includes" / "choices.yml"
        if not path.is_file():
            return {}
        found = (yaml.safe_load(path.read_bytes()) or {}).get(name, {})
        return {str(choice): str(text) for choice, text in found.items()}

    def _skipped(self, name: str, draft: Draft) -> UsageError:
        shown = {other: MASK if other in self.secrets else value for other, value in draft.values.items()}
        because = ", ".join(f"{other}={shown[other]}" for other in sorted(self.depends_on(name) & shown.keys()))
        return UsageError(
            f"{name} was answered but is not asked{f' with {because}' if because else ''}.",
            f"Leave {name} out, or change the answers it depends on.",
        )
