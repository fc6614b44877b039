"""Prompts for a kit's questions, with one step back at any of them, and lets each answer be changed afterwards."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from scaffold.console.prompt import Back
from scaffold.core.errors import ScaffoldError
from scaffold.kit.questionnaire import CUSTOMIZE, EACH, Answers, Questionnaire
from scaffold.kit.refusal import AnswerRefused
from scaffold.kit.summary import ask_number, opening, say, summary

if TYPE_CHECKING:
    from scaffold.kit.engine.draft import Draft
    from scaffold.kit.engine.question import Question


class InterviewEnded(KeyboardInterrupt):
    """Ctrl-C or Ctrl-D was pressed at a prompt.

    Attributes:
        answers: What was given and typed so far, without answers to secret questions.
    """

    def __init__(self, answers: Mapping[str, Any]) -> None:
        super().__init__()
        self.answers = answers


def ask_all(
    questionnaire: Questionnaire,
    given: Mapping[str, Any],
    suggested: Mapping[str, Any],
    *,
    objection: Callable[[str, Any], str] = lambda _name, _value: "",
    ending: str = "writes the service",
    details: Callable[[Answers], list[str]] = lambda _answers: [],
) -> Answers:
    """Prompt for every active question without an answer, then show all answers and let any be changed.

    Args:
        questionnaire: The kit's questions.
        given: Answers from the command line and files. They are prompted for only if they are invalid.
        suggested: Defaults that replace the kit's defaults if they are valid.
        objection: Gets a question and a valid answer; returns why it cannot be used here, or nothing.
        ending: What the last Enter does, as the end of the sentence “Enter …”.
        details: What the summary says beside the answers, one line each.

    Raises:
        InterviewEnded: Ctrl-C or Ctrl-D was pressed.
    """
    session = _Session(questionnaire, given, suggested, objection)
    say(opening(ending))
    everything = False
    try:
        draft = session.fill()
        while True:
            say(summary(questionnaire, draft, session.changed, session.topics, details(Answers.of(draft)), everything))
            number = ask_number(len(draft.active), ending)
            if number is None:
                return Answers.of(draft)
            everything = number == 0
            if number:
                draft = session.change(list(draft.active)[number - 1], draft)
    except KeyboardInterrupt:
        raise InterviewEnded(session.known()) from None


class _BackFrom(Exception):
    """The question before this one was asked for."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


class _Session:
    """The prompts for one kit's questions.

    Attributes:
        topics: The groups under `customize` to ask about; None before they are chosen.
    """

    def __init__(
        self,
        questionnaire: Questionnaire,
        given: Mapping[str, Any],
        suggested: Mapping[str, Any],
        objection: Callable[[str, Any], str],
    ) -> None:
        self.topics: list[str] | None = None
        self._questionnaire = questionnaire
        self._given = dict(given)
        # As they were typed: a YAML text that was parsed once may not be parsed again.
        self._typed: dict[str, Any] = {}
        self._suggested = suggested
        self._objection = objection
        self._asked: set[str] = set()
        self._again: set[str] = set()
        self._topic_of = questionnaire.topics()

    @property
    def changed(self) -> set[str]:
        """The questions that were answered, here or before."""
        return {*self._given, *self._typed}

    def known(self) -> dict[str, Any]:
        """The answers that were given and typed, without secret ones.

        Not that topics were chosen: `customize` alone would ask about all of them the next time.
        """
        answers = {**self._given, **self._typed}
        return {name: value for name, value in answers.items() if name not in self._questionnaire.secrets}

    def fill(self) -> Draft:
        """Prompt for every active question without a valid answer; one step back leads to the question before."""
        while True:
            try:
                return self._pass()
            except _BackFrom as left:
                order = self._questionnaire.all_names
                before = [name for name in order[: order.index(left.name)] if name in self._asked]
                self._again |= {left.name, *before[-1:]}
                if not before:
                    say("  This is the first question.")

    def change(self, name: str, draft: Draft) -> Draft:
        """Prompt again for one question, and for what does not fit its answer; one step back leaves all as it was."""
        kept = dict(self._given), dict(self._typed), self.topics
        self._again = {name}
        try:
            return self._pass()
        except _BackFrom:
            self._given, self._typed, self.topics = kept
            self._again = set()
            return draft

    def _pass(self) -> Draft:
        draft = self._questionnaire.begin(self._answered())
        for name in self._questionnaire.all_names:
            question = draft.question(name)
            if not question.active:
                draft.skip(question)  # The answer is kept, in case that the question comes up again.
            elif name not in self._again and self._take_known(question, draft):
                pass
            elif name in self._again or (question.prompted and self._is_open(name)):
                draft.put(name, self._prompt(question, draft))
                self._again.discard(name)
            else:
                try:
                    draft.take_default(question)
                except AnswerRefused as refusal:
                    say(f"  {refusal.reason}")
                    draft.put(name, self._prompt(question, draft))
        return draft

    def _answered(self) -> dict[str, Any]:
        return {**self._given, CUSTOMIZE: True} if self._customized() else self._given

    def _customized(self) -> bool:
        """Whether an answer to a question under `customize` was given, which turns that on."""
        return CUSTOMIZE not in self._given and bool(self._topic_of.keys() & self._given.keys())

    def _is_open(self, name: str) -> bool:
        """Whether to ask a question: unless it belongs to a topic that was not chosen."""
        return self.topics is None or name not in self._topic_of or self._topic_of[name] in self.topics

    def _take_known(self, question: Question, draft: Draft) -> bool:
        """Record the answer that was given or typed before; False if there is none that is valid."""
        if question.name == CUSTOMIZE and self.topics is not None:
            draft.put(CUSTOMIZE, bool(self.topics) or self._customized())
            return True
        known = self._typed if question.name in self._typed else self._given
        if question.name not in known:
            return False
        try:
            draft.put(question.name, self._parse(question, known[question.name]))
        except AnswerRefused as refusal:
            say(f"  {refusal.reason}")
            return False
        return True

    def _parse(self, question: Question, raw: Any) -> Any:
        value = question.parse(raw)
        if reason := self._objection(question.name, value):
            raise AnswerRefused(question.name, reason)
        return value

    def _prompt(self, question: Question, draft: Draft) -> Any:
        name = question.name
        message = f"{self._progress(name, draft)} · {question.help}"
        self._asked.add(name)
        try:
            if name == CUSTOMIZE and self._topic_of:
                return self._choose_topics(message)
            return self._answer(question, message, draft)
        except Back:
            raise _BackFrom(name) from None

    def _answer(self, question: Question, message: str, draft: Draft) -> Any:
        from scaffold.kit.question_prompt import ask_question

        name = question.name
        sources = (self._typed, self._given, self._suggested)
        suggestion = question.suggestion([source[name] for source in sources if name in source])
        edit = name in self._typed
        draft.discard(name)
        question = draft.question(name)  # without the discarded answer, which its rule may compare with
        meanings = self._questionnaire.meanings(name)
        each = meanings.pop(EACH, "")

        def meaning(choice: Any) -> str:
            text = meanings.get(str(choice), "")
            return text + draft.text(name, each, choice=choice) if each else text

        while True:
            raw = ask_question(
                question,
                message,
                suggestion,
                lambda text: self._verdict(question, text),
                meanings=meaning,
                edit=edit,
            )
            try:  # a list of choices cannot refuse a choice while it is shown
                value = self._parse(question, raw)
            except AnswerRefused as refusal:
                say(f"  {refusal.reason}")
                continue
            self._given.pop(name, None)
            self._typed[name] = raw
            return value

    def _choose_topics(self, message: str) -> bool:
        from scaffold.kit.question_prompt import choose_several

        titles = list(dict.fromkeys(self._topic_of.values()))
        members = {title: [name for name, topic in self._topic_of.items() if topic == title] for title in titles}
        choices = [(title, ", ".join(names)) for title, names in members.items()]
        self.topics = choose_several(message, choices, set(self.topics or ()))
        self._given.pop(CUSTOMIZE, None)
        return bool(self.topics) or self._customized()

    def _verdict(self, question: Question, raw: Any) -> bool | str:
        try:
            self._parse(question, raw)
        except AnswerRefused as refusal:
            return refusal.reason
        return True

    def _progress(self, name: str, draft: Draft) -> str:
        """The question's place among those that are prompted for, such as "3 of 9"."""
        order = self._questionnaire.all_names
        position = sum(1 for one in order[: order.index(name)] if one in self._asked and one in draft.active) + 1
        # Those that follow may depend on one another, so each is answered with its default in a copy.
        trial, total = draft.copy(), position
        later = order[order.index(name) :]
        if not draft.values.get(CUSTOMIZE):
            later = [one for one in later if one not in self._topic_of and one in self._questionnaire.names]
        for one in later:
            try:
                question = trial.question(one)
                if not question.active:
                    trial.skip(question)
                    continue
                known = one in self.changed and one not in self._asked
                counts = question.prompted and not known and self._is_open(one)
                trial.put(one, question.suggestion([]))
            except ScaffoldError:
                counts = one in self._questionnaire.names and self._is_open(one)
            total += counts and one != name
        return f"{position} of {total}"
