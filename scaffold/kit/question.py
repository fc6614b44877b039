"""One question of a kit, read as Copier reads it: its type, default, condition, choices and rule."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import jinja2
import yaml
from jinja2.meta import find_undeclared_variables

from scaffold.core.errors import ScaffoldError, UsageError

_TRUE = {"y", "yes", "t", "true", "on"}
_FALSE = {"", "n", "no", "f", "false", "off", "~", "null", "none"}


class AnswerRefused(UsageError):
    """An answer breaks its question's rule.

    Attributes:
        question: The name of the question.
        reason: The rule, as the kit words it.
    """

    def __init__(self, question: str, reason: str) -> None:
        sentence = " ".join(reason.split()).rstrip(".") + "."
        super().__init__(
            f"The answer to {question} is not possible: {sentence}",
            f"Give another one with `--data {question}=…` or in the answers file.",
        )
        self.question = question
        self.reason = sentence


@dataclass(frozen=True)
class Choice:
    """One of the values a question offers."""

    title: str
    value: Any
    disabled: str = ""


def to_bool(value: Any) -> bool:
    """A truth value, by the reading Copier gives to answers and conditions.

    Args:
        value: A number, a YAML word for true or false, or anything else.
    """
    try:
        return bool(float(value))
    except (TypeError, ValueError):
        pass
    if isinstance(value, str):
        word = value.strip().lower()
        if word in _TRUE:
            return True
        if word in _FALSE:
            return False
    return bool(value)


class Question:
    """One question of a kit.

    Args:
        name: The name its answer goes by.
        details: Its entry in `copier.yml`.
        environment: Where its templates are evaluated.
    """

    def __init__(self, name: str, details: Mapping[str, Any], environment: jinja2.Environment) -> None:
        self.name = name
        self._details = details
        self._environment = environment
        self._compiled: dict[str, jinja2.Template] = {}

    @property
    def type(self) -> str:
        """What kind of value it takes: str, int, float, bool, yaml, json or path."""
        if declared := self._details.get("type"):
            if declared not in _CASTS:
                raise ScaffoldError(
                    f"The kit's question {self.name} is of a type that does not exist, {declared}.",
                    f"Its owners have to make it one of {', '.join(_CASTS)}.",
                )
            return str(declared)
        guessed = type(self._details.get("default")).__name__
        return guessed if guessed in _CASTS else "yaml"

    @property
    def required(self) -> bool:
        """Whether it has no default."""
        return "default" not in self._details

    @property
    def computed(self) -> bool:
        """Whether nobody is ever asked: its value follows from other answers."""
        return self._details.get("when", True) in (False, "false")

    @property
    def depends_on(self) -> set[str]:
        """The names that its condition looks at."""
        when = self._details.get("when", True)
        return find_undeclared_variables(self._environment.parse(when)) if isinstance(when, str) else set()

    @property
    def has_choices(self) -> bool:
        """Whether the answer is one of a list."""
        return bool(self._details.get("choices"))

    def help(self, context: Mapping[str, Any]) -> str:
        """What the person is asked.

        Args:
            context: The answers so far.
        """
        return str(self._value(self._details.get("help", ""), context)).strip() or self.name

    def placeholder(self, context: Mapping[str, Any]) -> str:
        """An example of an answer, or nothing.

        Args:
            context: The answers so far.
        """
        return str(self._value(self._details.get("placeholder", ""), context))

    def is_asked(self, context: Mapping[str, Any]) -> bool:
        """Whether the question makes sense, given the answers so far.

        Args:
            context: The answers so far.
        """
        return to_bool(self._value(self._details.get("when", True), context))

    def choices(self, context: Mapping[str, Any]) -> list[Choice]:
        """What can be answered, or nothing where any text goes.

        Args:
            context: The answers so far.
        """
        declared = self._details.get("choices", ())
        if isinstance(declared, str):
            declared = yaml.safe_load(self._value(declared, context)) or ()
        pairs = declared.items() if isinstance(declared, Mapping) else declared
        try:
            return [self._choice(pair, context) for pair in pairs]
        except (TypeError, ValueError, KeyError) as error:
            raise ScaffoldError(
                f"The choices of the kit's question {self.name} cannot be read: {declared!r}.",
                "Its owners have to make them a list of values.",
            ) from error

    def default(self, context: Mapping[str, Any]) -> Any:
        """The value that stands when nothing is answered, not validated.

        Args:
            context: The answers so far.
        """
        return self.parse(self._value(self._details.get("default"), context), context)

    def parse(self, raw: Any, context: Mapping[str, Any]) -> Any:
        """Turn what was given into a value of the question's type.

        Args:
            raw: Text, or a value from a file.
            context: The answers so far.

        Raises:
            AnswerRefused: It is of another type, or not among the choices.
        """
        value = self._cast(raw)
        choices = self.choices(context)
        if not choices:
            return value
        for choice in choices:
            if value == self._cast(choice.value):
                if choice.disabled:
                    raise AnswerRefused(self.name, choice.disabled)
                return value
        possible = ", ".join(str(choice.value) for choice in choices if not choice.disabled)
        raise AnswerRefused(self.name, f"{_shown(value)} is not one of {possible}")

    def validate(self, value: Any, context: Mapping[str, Any]) -> None:
        """Hold a value against the question's rule.

        Args:
            value: The parsed value.
            context: The answers so far.

        Raises:
            AnswerRefused: The rule says why.
        """
        try:
            reason = str(self._value(self._details.get("validator", ""), {**context, self.name: value})).strip()
        except (jinja2.TemplateError, TypeError, ValueError, KeyError, ArithmeticError, AttributeError) as error:
            reason = f"{_shown(value)} cannot be judged ({error})"
        if reason:
            raise AnswerRefused(self.name, reason)

    def _choice(self, pair: Any, context: Mapping[str, Any]) -> Choice:
        title, value = pair if isinstance(pair, tuple | list) else (pair, pair)
        disabled = ""
        if isinstance(pair, tuple | list) and isinstance(value, Mapping):
            disabled = str(self._value(value.get("validator", ""), context))
            value = value["value"]
        return Choice(str(self._value(title, context)), self._cast(self._value(value, context)), disabled)

    def _cast(self, raw: Any) -> Any:
        if raw is None and self.type not in ("json", "yaml"):
            raise AnswerRefused(self.name, "it is empty")
        try:
            return _CASTS[self.type](raw)
        except (TypeError, AttributeError, OverflowError, ValueError, RecursionError, yaml.YAMLError) as error:
            if self.type in ("json", "yaml") and isinstance(error, TypeError | AttributeError):
                return raw  # not text: a value from a file
            raise AnswerRefused(self.name, f"{_shown(raw)} is not {_WORDS[self.type]}{_position(error)}") from error

    def _value(self, value: Any, context: Mapping[str, Any]) -> Any:
        if isinstance(value, list):
            return [self._value(item, context) for item in value]
        if not isinstance(value, str) or not ("{{" in value or "{%" in value or "{#" in value):
            return value
        if value not in self._compiled:
            self._compiled[value] = self._environment.from_string(value)
        return self._compiled[value].render(context)


_WORDS = {
    "bool": "yes or no",
    "float": "a number",
    "int": "a whole number",
    "json": "valid JSON",
    "yaml": "valid YAML",
    "path": "a path",
    "str": "text",
}


def _position(error: Exception) -> str:
    mark = getattr(error, "problem_mark", None)
    return f" (line {mark.line + 1}, column {mark.column + 1})" if mark else ""


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}…"


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, int | float):
        return str(value)
    raise TypeError(value)


_CASTS: Mapping[str, Callable[[Any], Any]] = {
    "bool": to_bool,
    "float": float,
    "int": int,
    "json": json.loads,
    "yaml": yaml.safe_load,
    "path": str,
    "str": _text,
}
