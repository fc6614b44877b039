"""Asks a person: grouped questions, a numbered summary in which answers can be changed, and the yes to deploy."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import Any

import yaml

from scaffold.console.console import Console, one_line
from scaffold.console.prompt import ask, ask_text, output
from scaffold.core.errors import Interrupted, ScaffoldError, UsageError
from scaffold.kit.question import AnswerRefused, Question
from scaffold.kit.questionnaire import CUSTOMIZE, Answers, Questionnaire


def need_a_person(console: Console) -> None:
    """Refuse to ask where nobody can answer.

    Args:
        console: Where the command reports to.

    Raises:
        UsageError: Standard input or standard error is no terminal.
    """
    if not console.interactive:
        raise UsageError(
            "There is no terminal to ask questions at.",
            "Add `--defaults`, with `--data KEY=VALUE` or `--answers FILE` for what should differ.",
        )


def ask_all(
    questionnaire: Questionnaire,
    given: Mapping[str, Any],
    suggested: Mapping[str, Any],
    *,
    objection: Callable[[str, Any], str] = lambda _name, _value: "",
    ending: str = "writes the service",
) -> Answers:
    """Ask every question that has no answer yet, then show all and let any be changed.

    Args:
        questionnaire: The kit's questions.
        given: Answers from the command line and files; these are not asked again.
        suggested: Better defaults than the kit's own, where they are acceptable.
        objection: Asked with a question and an answer that the kit accepts; says why it will not do here.
        ending: What the last Enter does.

    Returns:
        Valid answers to everything, agreed to by the person.

    Raises:
        KeyboardInterrupt: Ctrl-C or Ctrl-D was pressed.
    """
    session = _Session(questionnaire, dict(given), suggested, objection)
    session.fill()
    while True:
        answers = session.answers()
        _say(session.summary(answers))
        number = _number(len(answers.asked), ending)
        if number is None:
            return answers
        session.change(list(answers.asked)[number - 1])


def confirm(question: str) -> bool:
    """Ask for a yes; Enter alone means no.

    Args:
        question: What is agreed to.

    Raises:
        KeyboardInterrupt: Ctrl-C or Ctrl-D was pressed.
    """
    import questionary

    return bool(ask(questionary.confirm(question, default=False, auto_enter=False, qmark="?", output=output())))


def confirm_by_name(name: str, console: Console) -> bool:
    """Ask for a name to be typed, before something is destroyed.

    Args:
        name: What has to be typed.
        console: Where the command reports to.

    Raises:
        UsageError: Nobody is there to type it.
        Interrupted: Ctrl-C or Ctrl-D was pressed.
    """
    if not console.interactive:
        raise UsageError(
            "There is no terminal to confirm at.", "Add `--yes` if you are sure, or `--plan` to look first."
        )
    try:
        return ask_text(f"Type {name} to go on").strip() == name
    except KeyboardInterrupt:
        raise Interrupted("Interrupted: nothing was deleted.", "Run the same command again when you like.") from None


class _Session:
    """The conversation about one kit's questions."""

    def __init__(
        self,
        questionnaire: Questionnaire,
        known: dict[str, Any],
        suggested: Mapping[str, Any],
        objection: Callable[[str, Any], str],
    ) -> None:
        self._kit = questionnaire
        self._known = known
        self._suggested = suggested
        self._objection = objection
        self._group_of = {name: title for title, names in questionnaire.groups() for name in names}
        if any(CUSTOMIZE in questionnaire.questions[name].depends_on for name in known):
            self._known[CUSTOMIZE] = True

    def answers(self) -> Answers:
        """The answers as they stand, validated."""
        return self._kit.evaluate(self._known)

    def fill(self, again: str | None = None) -> None:
        """Ask, in order, what is asked and has no possible answer; drop what is not asked any more.

        Args:
            again: One question to ask although it has an answer.
        """
        so_far = Answers()
        for name, question in self._kit.questions.items():
            context = self._kit.context(so_far, self._known)
            if not question.is_asked(context):
                self._known.pop(name, None)
                if not question.required:
                    so_far.computed[name] = question.default(context)
                continue
            if name == again or not self._is_possible(name, context):
                self._known[name] = self._ask(question, context, so_far)
            so_far.asked[name] = self._kit.answer(name, self._known, context)

    def change(self, name: str) -> None:
        """Ask one question again, and what follows from its new answer.

        Args:
            name: The question.
        """
        self.fill(again=name)

    def summary(self, answers: Answers) -> str:
        """All answers, numbered, under their groups.

        Args:
            answers: What to show.
        """
        width = max(len(name) for name in answers.asked)
        lines, title = [""], ""
        for number, (name, value) in enumerate(answers.asked.items(), start=1):
            if self._group_of.get(name, title) != title:
                title = self._group_of[name]
                lines.append(f"  {title}")
            lines.append(f"  {number:>3}  {name:<{width}}  {one_line(_as_text(value)) or '(empty)'}")
        return "\n".join([*lines, ""])

    def _is_possible(self, name: str, context: Mapping[str, Any]) -> bool:
        if name not in self._known:
            return False
        try:
            self._check(name, self._kit.answer(name, self._known, context))
        except AnswerRefused as refusal:
            _say(f"  {refusal.reason}")
            return False
        return True

    def _check(self, name: str, value: Any) -> None:
        if reason := self._objection(name, value):
            raise AnswerRefused(name, reason)

    def _with_required(self, known: Mapping[str, Any]) -> dict[str, Any]:
        """The known answers, with an example for what has no default, so that the rest can be judged already."""
        examples = {
            name: question.placeholder({}) for name, question in self._kit.questions.items() if question.required
        }
        return {**examples, **known}

    def _ask(self, question: Question, context: Mapping[str, Any], so_far: Answers) -> Any:
        import questionary

        default = self._default(question, context)
        message = f"{self._progress(question.name, so_far)} {question.help(context)}:"
        if question.type == "bool":
            return ask(
                questionary.confirm(message, default=bool(default), auto_enter=False, qmark="?", output=output())
            )
        if question.has_choices:
            choices = [
                questionary.Choice(choice.title, choice.value, disabled=choice.disabled or None)
                for choice in question.choices(context)
            ]
            initial = next((choice for choice in choices if choice.value == default), None)
            return ask(questionary.select(message, choices, default=initial, qmark="?", output=output()))

        def judge(text: str) -> bool | str:
            try:
                value = question.parse(text, context)
                question.validate(value, context)
                self._check(question.name, value)
            except AnswerRefused as refusal:
                return refusal.reason
            return True

        return question.parse(ask_text(message, default=_as_text(default), validate=judge), context)

    def _default(self, question: Question, context: Mapping[str, Any]) -> Any:
        candidates = [source[question.name] for source in (self._known, self._suggested) if question.name in source]
        for candidate in candidates:
            try:
                value = question.parse(candidate, context)
                question.validate(value, context)
            except AnswerRefused:
                continue
            return value
        return "" if question.required else question.default(context)

    def _progress(self, name: str, so_far: Answers) -> str:
        """Where in its group a question stands, such as "Service 1/3"."""
        title = self._group_of.get(name, "")
        members = [member for member, group in self._group_of.items() if group == title]
        try:
            everything = self._kit.evaluate(self._with_required({**so_far.asked}))
            members = [member for member in members if member in everything.asked] or members
        except ScaffoldError:
            pass  # what was answered so far does not fit together yet: count all members
        return f"{title} {members.index(name) + 1}/{len(members)} ·"


def _number(highest: int, ending: str) -> int | None:
    """Which answer to change; None to go on."""

    def judge(text: str) -> bool | str:
        if not text.strip() or (text.strip().isdecimal() and 1 <= int(text) <= highest):
            return True
        return f"Enter alone, or a number from 1 to {highest}"

    choice = ask_text(f"Enter {ending}, a number changes that answer:", validate=judge).strip()
    return int(choice) if choice else None


def _as_text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "yes" if value else "no"
    return yaml.safe_dump(value, default_flow_style=True, width=2**20).removesuffix("\n...\n").strip()


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
