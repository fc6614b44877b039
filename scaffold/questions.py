"""The kit's questions, evaluated as Copier evaluates them, but before anything is cloned, asked or written.

Copier judges an answer while it generates. Judging it earlier, and at the prompt, needs the same
defaults, conditions, choices and validators; a property test compares the two.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import jinja2
import yaml
from jinja2.meta import find_undeclared_variables
from jinja2.sandbox import SandboxedEnvironment

from scaffold.errors import ScaffoldError, UsageError

CUSTOMIZE = "customize"
_CONFIGURATION_NAMES = ("copier.yml", "copier.yaml")
_TRUE = {"y", "yes", "t", "true", "on"}
_FALSE = {"", "n", "no", "f", "false", "off", "~", "null", "none"}


class NotAKit(ScaffoldError):
    """The source holds no questions, or ones that cannot be read."""

    def __init__(self, reason: str) -> None:
        super().__init__(
            f"This is not a kit: {reason}.",
            "Give `--kit` a folder, Git URL or git+codecommit:: address whose top folder holds a copier.yml.",
        )


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
        return [self._choice(pair, context) for pair in pairs]

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
            raise AnswerRefused(self.name, f"{_shown(raw)} is not of type {self.type}{_position(error)}") from error

    def _value(self, value: Any, context: Mapping[str, Any]) -> Any:
        if isinstance(value, list):
            return [self._value(item, context) for item in value]
        if not isinstance(value, str) or not ("{{" in value or "{%" in value or "{#" in value):
            return value
        if value not in self._compiled:
            self._compiled[value] = self._environment.from_string(value)
        return self._compiled[value].render(context)


class Questionnaire:
    """All questions of a kit, in their order.

    Args:
        root: The top folder of the kit, checked out.
        commit: What the kit's version is called, for values that mention it.

    Raises:
        NotAKit: There is no readable `copier.yml`.
    """

    def __init__(self, root: Path, commit: str | None = None) -> None:
        self.root = root
        self.configuration, self._entries = _load(root)
        self._commit = commit

    @cached_property
    def questions(self) -> dict[str, Question]:
        """Every question by name, the computed ones too."""
        environment = self._environment()
        return {name: Question(name, details, environment) for name, details in self._entries.items()}

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
            "_copier_answers": {"_commit": self._commit, **answers.asked},
            "_copier_conf": {"data": dict(given), "overwrite": False},
            "_copier_phase": "prompt",
        }

    def groups(self) -> list[tuple[str, list[str]]]:
        """The order and titles in which a person is asked, from the kit's `includes/groups.yml` where it has one."""
        path = self.root / "includes" / "groups.yml"
        if not path.is_file():
            return [("Answer", self.names)]
        groups = [(str(entry["title"]), list(entry["questions"])) for entry in yaml.safe_load(path.read_bytes())]
        grouped = {name for _, members in groups for name in members}
        rest = [name for name in self.names if name not in grouped]
        return [*groups, ("More", rest)] if rest else groups

    def _environment(self) -> SandboxedEnvironment:
        from jinja2_ansible_filters import AnsibleCoreFiltersExtension  # type: ignore[import-untyped]

        options = {"keep_trailing_newline": True, **self.configuration.get("_envops", {})}
        if "undefined" in options:
            options["undefined"] = getattr(jinja2, str(options["undefined"]).removeprefix("jinja2."), jinja2.Undefined)
        return SandboxedEnvironment(
            loader=jinja2.FileSystemLoader(self.root), extensions=[AnsibleCoreFiltersExtension], **options
        )


def _not_asked(question: Question, answers: Answers) -> UsageError:
    because = ", ".join(f"{name}={answers.all[name]}" for name in sorted(question.depends_on & answers.all.keys()))
    return UsageError(
        f"{question.name} was answered but is not asked{f' with {because}' if because else ''}.",
        f"Leave {question.name} out, or change the answers it depends on.",
    )


def _load(root: Path) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    path = next((root / name for name in _CONFIGURATION_NAMES if (root / name).is_file()), None)
    if path is None:
        raise NotAKit(f"{root} has no copier.yml")
    try:
        documents = [document for document in yaml.safe_load_all(path.read_bytes()) if document]
    except yaml.YAMLError as error:
        raise NotAKit(f"{path.name} is not valid YAML{_position(error)}") from error
    configuration: dict[str, Any] = {}
    entries: dict[str, dict[str, Any]] = {}
    for document in documents:
        if not isinstance(document, dict):
            raise NotAKit(f"{path.name} is not a mapping of questions")
        for key, value in document.items():
            if str(key).startswith("_"):
                configuration[key] = value
            else:
                entries[str(key)] = value if isinstance(value, dict) else {"default": value}
    return configuration, entries


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
