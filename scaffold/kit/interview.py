"""Prompts for a kit's questions in groups, shows all answers to be changed, and asks for confirmations."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from scaffold.console.console import one_line
from scaffold.console.prompt import ask, ask_text, output
from scaffold.core.errors import ScaffoldError
from scaffold.core.secrets import redact
from scaffold.kit.questionnaire import CUSTOMIZE, MASK, Answers, Questionnaire
from scaffold.kit.refusal import AnswerRefused

if TYPE_CHECKING:
    from scaffold.kit.engine.draft import Draft
    from scaffold.kit.engine.question import Question


def ask_all(
    questionnaire: Questionnaire,
    given: Mapping[str, Any],
    suggested: Mapping[str, Any],
    *,
    objection: Callable[[str, Any], str] = lambda _name, _value: "",
    ending: str = "writes the service",
) -> Answers:
    """Prompt for every active question without an answer, then show all answers and let any be changed.

    Args:
        questionnaire: The kit's questions.
        given: Answers from the command line and files. They are prompted for only if they are invalid.
        suggested: Defaults that replace the kit's defaults if they are valid.
        objection: Gets a question and a valid answer; returns why it cannot be used here, or nothing.
        ending: What the last Enter does, as the end of the sentence “Enter …”.

    Raises:
        KeyboardInterrupt: Ctrl-C or Ctrl-D was pressed.
    """
    session = _Session(questionnaire, given, suggested, objection)
    again = None
    while True:
        draft = session.fill(again)
        _say(session.summary(draft))
        number = _number(len(draft.active), ending)
        if number is None:
            return Answers.of(draft)
        again = list(draft.active)[number - 1]


class _Session:
    """The prompts for one kit's questions."""

    def __init__(
        self,
        questionnaire: Questionnaire,
        given: Mapping[str, Any],
        suggested: Mapping[str, Any],
        objection: Callable[[str, Any], str],
    ) -> None:
        self._questionnaire = questionnaire
        self._given = dict(given)
        # As they were typed: a YAML text that was parsed once may not be parsed again.
        self._typed: dict[str, Any] = {}
        self._suggested = suggested
        self._objection = objection
        self._group_of = {name: title for title, names in questionnaire.groups() for name in names}
        under = any(CUSTOMIZE in questionnaire.depends_on(name) for name in given)
        if under and CUSTOMIZE in questionnaire.all_names:
            self._given[CUSTOMIZE] = True

    def fill(self, again: str | None = None) -> Draft:
        """Prompt for every active question without a valid answer; discard answers to skipped ones.

        Args:
            again: A question to prompt for although it has an answer.
        """
        draft = self._questionnaire.begin(self._given)
        for name in self._questionnaire.all_names:
            question = draft.question(name)
            if not question.active:
                self._given.pop(name, None)
                self._typed.pop(name, None)
                draft.skip(question)
            elif name != again and self._take_known(question, draft):
                pass
            elif question.prompted or name == again:
                draft.put(name, self._prompt(question, draft))
            else:
                draft.take_default(question)
        return draft

    def summary(self, draft: Draft) -> str:
        """All answers, numbered, under their groups; secret ones are masked."""
        answers = draft.active
        width = max((len(name) for name in answers), default=0)
        lines, title = [""], ""
        for number, (name, value) in enumerate(answers.items(), start=1):
            if self._group_of.get(name, title) != title:
                title = self._group_of[name]
                lines.append(f"  {title}")
            shown = MASK if name in self._questionnaire.secrets else one_line(_as_text(value)) or "(empty)"
            lines.append(f"  {number:>3}  {name:<{width}}  {shown}")
        return "\n".join([*lines, ""])

    def _take_known(self, question: Question, draft: Draft) -> bool:
        """Record the answer that was given or typed before; False if there is none that is valid."""
        known = self._typed if question.name in self._typed else self._given
        if question.name not in known:
            return False
        try:
            draft.put(question.name, self._parse(question, known[question.name]))
        except AnswerRefused as refusal:
            _say(f"  {refusal.reason}")
            return False
        return True

    def _parse(self, question: Question, raw: Any) -> Any:
        value = question.parse(raw)
        if reason := self._objection(question.name, value):
            raise AnswerRefused(question.name, reason)
        return value

    def _prompt(self, question: Question, draft: Draft) -> Any:
        name = question.name
        sources = (self._typed, self._given, self._suggested)
        suggestion = question.suggestion([source[name] for source in sources if name in source])
        message = f"{self._progress(name, draft)} {question.help}:"
        draft.discard(name)
        self._given.pop(name, None)
        question = draft.question(name)  # without the discarded answer, which its rule may compare with
        while True:
            raw = _answer(question, message, suggestion, lambda text: self._verdict(question, text))
            try:  # a list of choices cannot refuse a choice while it is shown
                value = self._parse(question, raw)
            except AnswerRefused as refusal:
                _say(f"  {refusal.reason}")
                continue
            self._typed[name] = raw
            return value

    def _verdict(self, question: Question, raw: Any) -> bool | str:
        try:
            self._parse(question, raw)
        except AnswerRefused as refusal:
            return refusal.reason
        return True

    def _progress(self, name: str, draft: Draft) -> str:
        """The question's place among those of its group that are prompted for, such as "Service 1/3"."""
        title = self._group_of.get(name, "")
        order = self._questionnaire.all_names
        members = [member for member in order if self._group_of.get(member, "") == title]
        before = [member for member in members if order.index(member) < order.index(name) and member in draft.active]
        prompted = [member for member in before if draft.question(member).prompted]
        # Those that follow may depend on one another, so each is answered with its default in a copy.
        trial = draft.copy()
        for member in order[order.index(name) : order.index(members[-1]) + 1]:
            try:
                question = trial.question(member)
                if not question.active:
                    trial.skip(question)
                    continue
                counts = member == name or question.prompted
                trial.put(member, question.suggestion([]))
            except ScaffoldError:
                counts = True
            prompted += [member] if counts and member in members else []
        return f"{title} {prompted.index(name) + 1}/{len(prompted)} ·"


def _answer(question: Question, message: str, suggestion: Any, verdict: Callable[[Any], bool | str]) -> Any:
    """Show the prompt for a question, and return what was typed or chosen."""
    import questionary

    if choices := question.choices:
        offered = [
            questionary.Choice(
                choice.title,
                choice.value,
                disabled=choice.disabled or None,
                checked=question.multiselect and question.is_chosen(choice, suggestion or []),
            )
            for choice in choices
        ]
        if question.multiselect:
            return ask(questionary.checkbox(message, offered, validate=verdict, qmark="?", output=output()))
        chosen = [question.is_chosen(choice, suggestion) for choice in choices]
        default = offered[chosen.index(True)] if True in chosen else None
        return ask(questionary.select(message, offered, default=default, qmark="?", output=output()))
    if question.type == "bool":
        return ask(questionary.confirm(message, default=bool(suggestion), auto_enter=False, qmark="?", output=output()))
    return ask_text(
        message,
        default=question.text(suggestion),
        validate=verdict,
        is_password=question.secret,
        multiline=question.multiline,
        placeholder=question.placeholder or None,
    )


def _number(highest: int, ending: str) -> int | None:
    """The number of the answer to change; None to continue."""

    def judge(text: str) -> bool | str:
        if not text.strip() or (text.strip().isdecimal() and 1 <= int(text) <= highest):
            return True
        return f"Enter alone, or a number from 1 to {highest}"

    choice = ask_text(f"Enter {ending}, a number changes that answer:", validate=judge).strip()
    return int(choice) if choice else None


def _as_text(value: Any) -> str:
    from scaffold.kit.engine.question import as_text

    return as_text(value)


def _say(text: str) -> None:
    print(redact(text), file=sys.stderr, flush=True)
