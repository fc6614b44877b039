"""What is said before the questions, and the answers after them, of which each can be changed by its number."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scaffold.console import indicator
from scaffold.console.console import one_line
from scaffold.console.prompt import ask_text, terminal_size
from scaffold.core.secrets import redact
from scaffold.kit.estimate import read_estimate
from scaffold.kit.questionnaire import CUSTOMIZE, MASK, Answers, Questionnaire
from scaffold.kit.source import KitSource

if TYPE_CHECKING:
    from scaffold.kit.engine.draft import Draft

_ALL = "all"
# The prompt, the line before it and the cursor's.
_BELOW = 4


def opening(ending: str) -> str:
    """What happens, and how to answer.

    Args:
        ending: What the last Enter does.
    """
    return (
        f"A few questions, then a summary; only Enter there {ending}.\n"
        "Enter takes what is in [brackets], Shift-Tab or Esc goes back, ? explains,\n"
        "Ctrl-C ends and keeps the answers.\n"
    )


def details(answers: Answers, dest: Path | None, kit: KitSource, account: str) -> list[str]:
    """Where the service will be, and what it will cost, one line each.

    Args:
        dest: Its folder; None for one with its name.
        account: Where the user's credentials lead.
    """
    recorded = answers.recorded
    lines = [f"Folder   {dest or Path.cwd() / str(recorded.get('app_name', ''))}"]
    if recorded.get("aws_region"):
        own = recorded.get("aws_account_id")
        shown = account if own in (None, "", account) else f"{own}, the only one ({account} now)"
        lines.append(f"Account  {shown}; region {recorded['aws_region']}")
    lines.append(f"Kit      {kit.version}, {kit.source}")
    if estimate := read_estimate(answers.computed):
        lines.append(f"Costs    about {estimate.total_usd:.2f} USD a month without traffic, once it is deployed")
    settings = answers.computed.get("environment_settings") or []
    if opened := [one["name"] for one in settings if one["exec"] and one["production"]]:
        lines.append(f"Shells   people with permission can open one in {', '.join(opened)}, which is production")
    return lines


def summary(
    questionnaire: Questionnaire,
    draft: Draft,
    changed: set[str],
    topics: Sequence[str] | None,
    details: Sequence[str],
    everything: bool,
) -> str:
    """The answers, numbered, under their groups; secret ones are masked.

    Args:
        changed: The questions that were answered. Those under `customize` that were not are left out.
        topics: What was chosen in place of `customize`.
        details: Lines that come first.
        everything: Show all answers, however many there are.
    """
    answers, topic_of = draft.active, questionnaire.topics()
    shown = [name for name in answers if everything or name in changed or name not in topic_of]
    size = terminal_size()
    group_of = {name: title for title, names in questionnaire.groups() for name in names}

    def height(names: Sequence[str]) -> int:
        return len(details) + len(names) + len({group_of.get(name, "") for name in names}) + _BELOW

    while not everything and height(shown) > size.lines and shown[-1] in topic_of:
        shown.pop()
    numbers = {name: number for number, name in enumerate(answers, start=1)}
    width = max((len(name) for name in shown), default=0)
    lines, title = ["", *(f"  {line}"[: size.columns - 1] for line in details)], ""
    for name in shown:
        if group_of.get(name, title) != title:
            title = group_of[name]
            lines.append(f"  {title}")
        text = MASK if name in questionnaire.secrets else one_line(_as_text(answers[name])) or "(empty)"
        if name == CUSTOMIZE and topics:
            text = ", ".join(topics)
        lines.append(f"  {numbers[name]:>3}  {name:<{width}}  {text}"[: size.columns - 1])
    if left := len(answers) - len(shown):
        lines.append(f"       and {left} more, mostly defaults: `{_ALL}` shows them")
    return "\n".join(lines)


def ask_number(highest: int, ending: str) -> int | None:
    """The number of the answer to change; 0 to see all answers, None to continue."""

    def judge(text: str) -> bool | str:
        word = text.strip()
        if word in ("", _ALL) or (word.isdecimal() and 1 <= int(word) <= highest):
            return True
        return f"Enter alone, or a number from 1 to {highest}"

    choice = ask_text(f"Enter {ending}, a number changes that answer:", validate=judge).strip()
    return 0 if choice == _ALL else int(choice) if choice else None


def say(text: str) -> None:
    """Write text to the terminal, as it is but for secrets."""
    with indicator.set_aside():
        print(redact(text), file=sys.stderr, flush=True)


def _as_text(value: Any) -> str:
    from scaffold.kit.engine.question import as_text

    return as_text(value)
