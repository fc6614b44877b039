"""Answers while they are being collected."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from copier import Phase

from scaffold.kit.engine.names import MISSING, AnswersMap, CopierQuestion
from scaffold.kit.engine.question import Question, malformed
from scaffold.kit.engine.template import Template
from scaffold.kit.refusal import AnswerRefused


class Draft:
    """The answers so far, and each question evaluated with them.

    Args:
        given: Answers from the command line and files.
        destination: The service's folder; None if it will be named after the answer to app_name.
        recorded: The answers file of a service that is updated.

    Attributes:
        dropped: Recorded answers that the kit does not accept any more, with the reason.
    """

    def __init__(
        self,
        template: Template,
        given: Mapping[str, Any],
        destination: Path | None,
        recorded: Mapping[str, Any] | None = None,
    ) -> None:
        self.dropped: dict[str, str] = {}
        self._template = template
        self._named_after_app = destination is None
        self._worker = worker = template.worker(destination or template.folder / "absent", given)
        worker.answers = AnswersMap(
            init=worker.data,
            metadata=worker.template.metadata,
            last=dict(recorded or {}),
            external=worker._external_data(),
        )

    @property
    def _map(self) -> AnswersMap:
        return self._worker.answers

    def question(self, name: str) -> Question:
        """A question, evaluated with the answers so far.

        Raises:
            ScaffoldError: Its entry in `copier.yml` is malformed.
        """
        with Phase.use(Phase.PROMPT):
            context = self._worker._render_context()
        if self._named_after_app:
            context["_folder_name"] = str(self._map.combined.get("app_name", ""))
        try:
            question = CopierQuestion(
                var_name=name,
                answers=self._map,
                context=context,
                jinja_env=self._worker.jinja_env,
                settings=self._worker.settings,
                **self._template.entries[name],
            )
        except ValueError as error:  # pydantic's ValidationError
            first = error.errors()[0]  # type: ignore[attr-defined]
            raise malformed(name, str(first["loc"][0]), first["msg"]) from error
        return Question(question, self.without_secrets)

    def text(self, name: str, template: str, **more: Any) -> str:
        """A text of the kit about a question, in one line.

        Args:
            template: Jinja, with the answers so far and `more`.

        Raises:
            ScaffoldError: The kit's text is malformed.
        """
        with Phase.use(Phase.PROMPT):
            context = self._worker._render_context()
        try:
            return " ".join(self._worker.jinja_env.from_string(template).render(**context, **more).split())
        except Exception as error:  # whatever a filter of the kit raises
            raise malformed(name, "choices.yml", str(error)) from error

    def check_recorded(self, question: Question) -> None:
        """Drop the recorded answer to a question that does not accept it any more, as Copier does."""
        if question.name not in self._map.last:
            return
        try:
            question.parse(self._map.last[question.name])
        except AnswerRefused as refused:
            del self._map.last[question.name]
            self.dropped[question.name] = refused.reason

    def put(self, name: str, value: Any) -> None:
        """Record a parsed answer."""
        self._map.user[name] = value

    def take_default(self, question: Question) -> None:
        """Record the default of an active question.

        Raises:
            AnswerRefused: It has none, or an invalid one.
        """
        value = question.default()
        if value is not MISSING:
            self.put(question.name, value)
        elif question.prompted:
            raise AnswerRefused(question.name, "it is required and has no default")

    def skip(self, question: Question) -> None:
        """Record the default of an inactive question as its computed value; discard the answer that was given to it."""
        self.discard(question.name)
        self._map.hide(question.name)
        value = question.default()
        if value is not MISSING:
            self.put(question.name, value)

    def discard(self, name: str) -> None:
        """Discard the answer that was given to a question, or recorded."""
        self._map.last.pop(name, None)
        self.dropped.pop(name, None)
        self._map.init.pop(name, None)
        self._worker.data.pop(name, None)

    def copy(self) -> Draft:
        """An independent draft with the same answers."""
        other = copy.copy(self)
        other._worker = copy.copy(self._worker)
        other._worker.data = dict(self._worker.data)
        other._worker.answers = replace(
            self._map, user=dict(self._map.user), init=dict(self._map.init), last=dict(self._map.last)
        )
        other._worker.answers.hidden = set(self._map.hidden)
        other.dropped = dict(self.dropped)
        return other

    @property
    def active(self) -> dict[str, Any]:
        """The answers to active questions, in the order of the questions."""
        return {name: self._map.user[name] for name in self._answered() if name not in self._map.hidden}

    @property
    def computed(self) -> dict[str, Any]:
        """The values of skipped questions."""
        return {name: self._map.user[name] for name in self._answered() if name in self._map.hidden}

    @property
    def values(self) -> dict[str, Any]:
        """The values of all questions so far."""
        return self.active | self.computed

    @property
    def recorded(self) -> dict[str, Any]:
        """What Copier writes to the answers file, in the order of the questions."""
        remembered = self._worker._answers_to_remember()
        return {name: remembered[name] for name in self._template.entries if name in remembered}

    def skips_if_exists(self) -> Callable[[Path], bool]:
        """A function that says whether the kit leaves a file as it is where it exists already."""
        return self._template.skips_if_exists(self._map)

    def without_secrets(self, text: str, *more: Any) -> str:
        """The message, or nothing if it contains the answer to a secret question.

        Args:
            text: The message.
            more: Further secret values.
        """
        values = [*more, *(self._map.combined.get(name) for name in self._template.secrets)]
        flat = [item for value in values for item in (value if isinstance(value, list) else [value])]
        return "" if any(str(value) in text for value in flat if str(value) and value is not None) else text

    def render(self, destination: Path, exclude: Sequence[str] = ()) -> None:
        """Generate the files from answers that are complete.

        Args:
            exclude: Patterns of files to leave out, beside those of the kit.

        Raises:
            CopierError, jinja2.TemplateError, ValueError, OSError: As Copier raises them.
        """
        self._template.render(self._map, self._worker.data, destination, exclude)

    def _answered(self) -> list[str]:
        return [name for name in self._template.entries if name in self._map.user]
