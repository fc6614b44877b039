"""The prompt for one question: a line of text with its default in brackets, yes or no, or a list that is filtered."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from scaffold.console.prompt import Explained, ask, ask_text, output, steerable, style, wrapped
from scaffold.kit.engine.question import Question, as_text

_LONGEST_DEFAULT = 40
# A shorter list is seen at once.
_FILTERED_FROM = 4


def ask_question(
    question: Question,
    message: str,
    suggestion: Any,
    verdict: Callable[[Any], bool | str],
    *,
    meanings: Callable[[Any], str],
    edit: bool,
) -> Any:
    """Show the prompt for a question, and return what was typed or chosen.

    Args:
        message: What is asked, with its place among the questions.
        suggestion: What Enter alone means.
        verdict: Called with an answer; returns true, or the reason of a refusal.
        meanings: What a choice means, or nothing.
        edit: Whether the suggestion was typed before, and is edited rather than replaced.

    Raises:
        Back: The question before was asked for.
        KeyboardInterrupt: Ctrl-C or Ctrl-D was pressed.
    """
    if question.choices:
        return _choose(question, message, suggestion, verdict, meanings)
    explained = Explained(_explanation(question, suggestion))
    if question.type == "bool":
        import questionary

        confirm = questionary.confirm(
            _asked(message), default=bool(suggestion), auto_enter=False, qmark="?", output=output()
        )
        return ask(steerable(confirm, explained))
    return _type(question, message, suggestion, verdict, explained, edit=edit)


def choose_several(message: str, choices: Sequence[tuple[str, str]], chosen: set[str]) -> list[str]:
    """Ask for any number of a list's entries.

    Args:
        choices: Each entry with what it means.
        chosen: Those that are chosen already.

    Raises:
        Back: The question before was asked for.
        KeyboardInterrupt: Ctrl-C or Ctrl-D was pressed.
    """
    import questionary

    offered = [
        questionary.Choice(name, name, checked=name in chosen, description=meaning or None) for name, meaning in choices
    ]
    instruction = _beside(message, "(Space chooses, Enter goes on)")
    prompt = questionary.checkbox(
        _asked(message), offered, qmark="?", instruction=instruction, style=style(), output=output(), use_jk_keys=False
    )
    return list(ask(steerable(prompt)))


def _choose(
    question: Question,
    message: str,
    suggestion: Any,
    verdict: Callable[[Any], bool | str],
    meanings: Callable[[Any], str],
) -> Any:
    import questionary

    choices = question.choices
    offered = [
        questionary.Choice(
            choice.title,
            choice.value,
            disabled=choice.disabled or None,
            checked=question.multiselect and question.is_chosen(choice, suggestion or []),
            description=meanings(choice.value) or None,
        )
        for choice in choices
    ]
    common = {"qmark": "?", "style": style(), "output": output(), "use_jk_keys": False}
    if question.multiselect:
        return ask(steerable(questionary.checkbox(_asked(message), offered, validate=verdict, **common)))
    chosen = [question.is_chosen(choice, suggestion) for choice in choices]
    default = offered[chosen.index(True)] if True in chosen else None
    filtered = len(choices) >= _FILTERED_FROM
    instruction = _beside(message, "(arrow keys, or type to filter)" if filtered else "(arrow keys)")
    select = questionary.select(
        _asked(message), offered, default=default, instruction=instruction, use_search_filter=filtered, **common
    )
    return ask(steerable(select))


def _type(
    question: Question,
    message: str,
    suggestion: Any,
    verdict: Callable[[Any], bool | str],
    explained: Explained,
    *,
    edit: bool,
) -> Any:
    default = question.text(suggestion)
    edit = edit or question.multiline
    shown = "********" if question.secret else default
    if default and not edit:
        message += f" [{shown if len(shown) <= _LONGEST_DEFAULT else f'{shown[: _LONGEST_DEFAULT - 1]}…'}]"

    def meant(text: str) -> str:
        if edit or text:
            return "" if text.isspace() else text
        return default

    return meant(
        ask_text(
            _asked(message),
            default=default if edit else "",
            validate=lambda text: verdict(meant(text)),
            explained=explained,
            is_password=question.secret,
            multiline=question.multiline,
            placeholder=question.placeholder or None,
        )
    )


def _asked(message: str) -> str:
    """The text of a prompt, whose further lines begin below the first one."""
    return wrapped(f"{message}:").replace("\n", "\n  ")


def _beside(message: str, instruction: str) -> str:
    """An instruction behind the text of a prompt, on a line of its own where that one is full."""
    last = _asked(message).rpartition("\n")[2]
    return instruction if wrapped(f"{last} {instruction}").count("\n") == 0 else f"\n  {instruction}"


def _explanation(question: Question, suggestion: Any) -> str:
    lines = [f"{question.name}: {' '.join(question.help.split())}."]
    if question.type != "bool" and not question.secret and suggestion not in (None, ""):
        lines.append(f"Enter alone means {as_text(suggestion)}. A space alone leaves it empty.")
    lines.append(f"On the command line: --data {question.name}=… Shift-Tab or Esc goes back.")
    return "\n".join(lines)
