"""One question of a kit: its prompt, and the validation of its answer and its default."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import jinja2
import yaml
from copier.errors import CopierError, UserMessageError

from scaffold.core.errors import ScaffoldError, UsageError
from scaffold.kit.engine.names import MISSING, CopierQuestion
from scaffold.kit.refusal import AnswerRefused

_PARSE_ERRORS = (TypeError, ValueError, AttributeError, OverflowError, RecursionError, yaml.YAMLError)
# Copier has no `raise`. A kit stops with a sentence by looking it up where it is not found.
_STOPPED = re.compile(r"""'None' has no attribute (['"])(?P<sentence>.* .*)\1""")

_YES_OR_NO = {"y", "yes", "t", "true", "on", "1", "n", "no", "f", "false", "off", "0"}


@dataclass(frozen=True)
class Choice:
    """One of the values to choose from; `disabled` is the reason why it cannot be chosen, or empty."""

    title: str
    value: Any
    disabled: str


class Question:
    """One question of a kit, evaluated with the answers before it.

    Args:
        question: Copier's question.
        without_secrets: `Draft.without_secrets`.
    """

    def __init__(self, question: CopierQuestion, without_secrets: Callable[..., str]) -> None:
        self._question = question
        self._without_secrets = without_secrets

    @property
    def name(self) -> str:
        """The name of its answer."""
        return self._question.var_name

    @property
    def secret(self) -> bool:
        """Whether its answer is neither recorded nor shown."""
        return self._question.secret

    @property
    def multiselect(self) -> bool:
        """Whether several choices can be the answer."""
        return self._question.multiselect

    @property
    def type(self) -> str:
        """The type of its answer: str, int, float, bool, yaml, json or path."""
        with self._kit_errors():
            return self._question.get_type_name()

    @property
    def active(self) -> bool:
        """Whether its `when` is true."""
        with self._kit_errors():
            return self._question.get_when()

    @property
    def prompted(self) -> bool:
        """Whether it is prompted for; if not, the default applies unless an answer was given."""
        with self._kit_errors():
            return self._question.get_ask()

    @property
    def multiline(self) -> bool:
        """Whether the answer may have several lines."""
        with self._kit_errors():
            return self._question.get_multiline()

    @property
    def help(self) -> str:
        """The text of the prompt."""
        with self._kit_errors():
            return str(self._question.render_value(self._question.help)).strip() or self.name

    @property
    def placeholder(self) -> str:
        """The text that is shown while nothing is typed."""
        with self._kit_errors():
            return str(self._question.get_placeholder())

    @property
    def choices(self) -> list[Choice]:
        """The values to choose from; none if the answer is free."""
        try:
            formatted = self._question._formatted_choices
        except (CopierError, jinja2.TemplateError, TypeError, ValueError, KeyError) as error:
            raise malformed(self.name, "choices", _reason(error)) from error
        return [Choice(str(choice.title), choice.value, choice.disabled or "") for choice in formatted]

    def is_chosen(self, choice: Choice, value: Any) -> bool:
        """Whether a choice is the value, or one of its items."""
        chosen = self._question.cast_answer(choice.value)
        return chosen in value if self.multiselect and isinstance(value, list) else bool(chosen == value)

    def parse(self, raw: Any) -> Any:
        """Parse and validate an answer.

        Args:
            raw: Text, or a value from a file.

        Raises:
            AnswerRefused: It is of another type, not among the choices, or breaks the rule of the question.
            ScaffoldError: The type or the choices of the question are malformed.
        """
        self._check_declaration()
        shown = "it" if self.secret else _shown(raw)
        free = self.type == "bool" and not self.choices
        # Copier takes almost every other text for yes.
        if free and isinstance(raw, str) and raw.strip().lower() not in _YES_OR_NO:
            raise self._refused(f"{shown} is not yes or no, for example true", raw)
        try:
            value = self._question.parse_answer(raw)
        except _PARSE_ERRORS as error:
            reason = "it is empty" if raw is None else self._why_not_parsed(shown, error)
            raise self._refused(reason, raw) from error
        try:
            self._question.validate_answer(value)
        except ValueError as error:
            raise self._refused(self._broken_rule(error), raw, value) from error
        return value

    def default(self) -> Any:
        """The value without an answer, or MISSING. That of an active question is validated.

        Raises:
            AnswerRefused: The default of an active question is invalid.
            UsageError: The kit stops with a sentence about the answers that it depends on.
            ScaffoldError: The default cannot be evaluated.
        """
        self._check_declaration()
        active = self.active
        with self._kit_errors():
            try:
                return self._question.get_default()
            except (UserMessageError, jinja2.TemplateError):
                raise
            except _PARSE_ERRORS as error:
                if not active:
                    raise
                reason = self._broken_rule(error) or self._why_not_parsed("its default", error)
                raise self._refused(reason) from error

    def suggestion(self, candidates: Sequence[Any]) -> Any:
        """The initial value of a prompt: the first valid candidate, else the default, valid or not, else None."""
        for candidate in candidates:
            try:
                return self.parse(candidate)
            except AnswerRefused:
                continue
        try:
            value = replace(self._question, validator="").get_default()
        except Exception:  # the prompt begins empty, and the reason follows when the answer is validated
            return None
        return None if value is MISSING else value

    def text(self, value: Any) -> str:
        """A value as it can be typed."""
        if value is None:
            return ""
        if self.type == "json":
            return json.dumps(value, indent=2 if self.multiline else None)
        return _as_yaml(value, flow=not self.multiline) if self.type == "yaml" else str(value)

    def _check_declaration(self) -> None:
        """Raise a ScaffoldError if the type or the choices are malformed."""
        _ = (self.type, self.choices)

    @contextmanager
    def _kit_errors(self) -> Iterator[None]:
        """Turn whatever the question's templates raise into an error about the kit."""
        try:
            yield
        except ScaffoldError:
            raise
        except Exception as error:
            if stopped := _STOPPED.fullmatch(_reason(error)):
                happened, _, remedy = self._without_secrets(stopped["sentence"]).partition("; ")
                if happened:
                    again = f"{remedy[:1].upper()}{remedy[1:]}" or "Change that answer"
                    raise UsageError(f"{happened}.", f"{again}.") from error
            reason = self._without_secrets(_reason(error)) or "the value of a secret question does not fit"
            raise ScaffoldError(
                f"The kit cannot work out {self.name}: {reason}.",
                "Change the answers it depends on; if they are right, tell the kit's owners.",
            ) from error

    def _refused(self, reason: str, *values: Any) -> AnswerRefused:
        secret = values if self.secret else ()
        return AnswerRefused(self.name, self._without_secrets(reason, *secret) or "it breaks the question's rule")

    def _broken_rule(self, error: Exception) -> str:
        prefix, text = f"Validation error for question '{self.name}': ", str(error)
        return text.removeprefix(prefix) if text.startswith(prefix) else ""

    def _why_not_parsed(self, shown: str, error: Exception) -> str:
        possible = [str(choice.value) for choice in self.choices if not choice.disabled]
        refused = re.fullmatch(f"Invalid choice for '{re.escape(self.name)}': (.*)", str(error), re.DOTALL)
        if refused:
            unknown = re.fullmatch(r"(.*) is not in \[.*\]", refused[1], re.DOTALL)
            if not unknown:
                return refused[1]  # a disabled choice
            return f"{'it' if self.secret else _cut(unknown[1])} is not one of {', '.join(possible)}"
        if self.multiselect:
            return f"{shown} is not a list of choices, such as [{', '.join(possible[:2])}]"
        return f"{shown} is not {_WORDS[self.type]}{_position(error)}"


_WORDS = {
    "bool": "yes or no",
    "float": "a number",
    "int": "a whole number",
    "json": "valid JSON",
    "yaml": "valid YAML",
    "path": "a path",
    "str": "text",
}


def as_text(value: Any) -> str:
    """A value on one line, for people."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "yes" if value else "no"
    return _as_yaml(value, flow=True)


def _as_yaml(value: Any, *, flow: bool) -> str:
    return yaml.safe_dump(value, default_flow_style=flow, width=2**20).strip().removesuffix("\n...")


def _position(error: Exception) -> str:
    mark = getattr(error, "problem_mark", None) or getattr(error.__context__, "problem_mark", None)
    return f" (line {mark.line + 1}, column {mark.column + 1})" if mark else ""


def _shown(value: Any) -> str:
    return _cut(repr(value))


def _cut(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:57]}…"


def _reason(error: Exception) -> str:
    text = str(getattr(error, "message", None) or error) or type(error).__name__
    return " ".join(text.split()).rstrip(".")


def malformed(question: str, field: str, reason: str) -> ScaffoldError:
    """The error about an entry of `copier.yml`.

    Args:
        field: The part that Copier cannot read.
        reason: Copier's message.
    """
    return ScaffoldError(
        f"The {field} of the kit's question {question} cannot be read: {reason}.",
        "Its owners have to correct copier.yml; name another kit with `--kit` until then.",
    )
