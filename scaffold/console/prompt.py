"""Prompts on a terminal: text, yes or no, and the confirmation by name."""

from __future__ import annotations

import os
import shutil
import sys
import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from scaffold.console import indicator
from scaffold.console.console import Console, visible
from scaffold.core.errors import Interrupted, UsageError
from scaffold.core.secrets import redact


class Back(Exception):
    """The question before was asked for."""


@dataclass(frozen=True)
class Explained:
    """A prompt that shows a text when `?` is typed at the beginning of its line.

    Attributes:
        text: The explanation, in one or several lines.
    """

    text: str


def require_terminal(console: Console) -> None:
    """Fail unless prompts can be shown.

    Raises:
        UsageError: Stdin or stderr is not a terminal.
    """
    if not console.interactive:
        raise UsageError(
            "Cannot prompt: with --json nothing is asked."
            if console.json
            else "Cannot prompt: this is not a terminal.",
            "Add `--defaults`, and `--data KEY=VALUE` or `--answers FILE` for other answers.",
        )


def ask_text(
    message: str,
    *,
    default: str = "",
    validate: Callable[[str], bool | str] | None = None,
    explained: Explained | None = None,
    **options: Any,
) -> str:
    """Ask for a line of text.

    Args:
        default: The text to edit.
        validate: Called with the text; returns true, or the reason of a refusal.
        explained: The explanation; with it, Shift-Tab and Esc ask for the question before.
        options: Further options of `questionary.text`, such as `is_password`.

    Raises:
        Back: The question before was asked for.
        KeyboardInterrupt: Ctrl-C or Ctrl-D was pressed.
    """
    import questionary

    prompt = questionary.text(
        message, default=default, validate=validate, qmark="?", output=output(), key_bindings=_abort_keys(), **options
    )
    _wrap_refusals(prompt.application.layout)
    return str(ask(prompt if explained is None else steerable(prompt, explained)))


def steerable(question: Any, explained: Explained | None = None) -> Any:
    """A prompt of questionary's at which Shift-Tab and Esc ask for the question before, and `?` for an explanation."""
    from prompt_toolkit.application import get_app, run_in_terminal
    from prompt_toolkit.filters import Condition
    from prompt_toolkit.key_binding import KeyBindings, merge_key_bindings

    keys, app = KeyBindings(), question.application

    @keys.add("s-tab", eager=True)
    @keys.add("escape")
    def _(event: Any) -> None:
        event.app.exit(exception=Back(), style="class:aborting")

    if explained is not None:

        @keys.add("?", eager=True, filter=Condition(lambda: not get_app().current_buffer.text))
        def _(_event: Any) -> None:
            lines = wrapped(redact(visible(explained.text))).splitlines()
            run_in_terminal(lambda: print(*(f"  {line}" for line in lines), sep="\n", file=sys.stderr))

    app.key_bindings = merge_key_bindings([app.key_bindings, keys])
    # Esc alone is told from the beginning of an arrow key by the time that follows.
    app.ttimeoutlen = app.timeoutlen = 0.1
    return question


def terminal_size() -> os.terminal_size:
    """The size of the terminal on stderr, where prompts are: stdout may be a file."""
    try:
        size = os.get_terminal_size(sys.stderr.fileno())
    except (OSError, ValueError):
        return shutil.get_terminal_size()
    return size if all(size) else shutil.get_terminal_size()


def wrapped(text: str) -> str:
    """Text that breaks between words where the terminal ends, with room for a mark before each line."""
    width = terminal_size().columns - 3
    return "\n".join(line for part in text.splitlines() for line in textwrap.wrap(part, width, break_on_hyphens=False))


def style() -> Any:
    """Lists whose highlighted line is the one that Enter chooses."""
    from questionary import Style

    return Style([("selected", "noreverse"), ("highlighted", "bold"), ("disabled", "fg:#858585")])


def confirm(message: str, *, default: bool = False) -> bool:
    """Ask for yes or no.

    Args:
        default: What Enter alone means.

    Raises:
        KeyboardInterrupt: Ctrl-C or Ctrl-D was pressed.
    """
    import questionary

    return bool(ask(questionary.confirm(message, default=default, auto_enter=False, qmark="?", output=output())))


def confirm_by_name(name: str, console: Console, done: str = "deleted") -> bool:
    """Ask for a name to be typed before something is destroyed.

    Args:
        done: What happens to it, as a participle.

    Raises:
        UsageError: Stdin or stderr is not a terminal.
        Interrupted: Ctrl-C or Ctrl-D was pressed.
    """
    if not console.interactive:
        raise UsageError(
            "Cannot ask for confirmation: this is not a terminal.",
            f"Add `--yes` to confirm, or `--plan` to see first what would be {done}.",
        )
    try:
        return ask_text(f"Type {name} to continue").strip() == name
    except KeyboardInterrupt:
        raise Interrupted(f"Interrupted: nothing was {done}.", "Run the same command again to continue.") from None


def ask(question: Any) -> Any:
    """Show a prompt of questionary's and return its answer.

    Raises:
        KeyboardInterrupt: Ctrl-C or Ctrl-D was pressed.
    """
    try:
        with indicator.set_aside():
            return question.unsafe_ask()
    except EOFError:
        raise KeyboardInterrupt from None


def output() -> Any:
    """prompt_toolkit's output on stderr: stdout is for results."""
    from prompt_toolkit.output import create_output

    return create_output(stdout=sys.stderr)


def _abort_keys() -> Any:
    """Ctrl-D aborts also at the end of a prefilled answer, where it could delete nothing."""
    from prompt_toolkit.application import get_app
    from prompt_toolkit.filters import Condition
    from prompt_toolkit.key_binding import KeyBindings

    keys = KeyBindings()

    @keys.add("c-d", filter=Condition(lambda: get_app().current_buffer.document.is_cursor_at_the_end), eager=True)
    def _(event: Any) -> None:
        event.app.exit(exception=EOFError, style="class:aborting")

    return keys


def _wrap_refusals(layout: Any) -> None:
    """Let the validation message wrap: its end says how to fix the answer."""
    from prompt_toolkit.filters import to_filter
    from prompt_toolkit.layout.controls import FormattedTextControl

    for window in layout.find_all_windows():
        if window.height == 1 and isinstance(window.content, FormattedTextControl):
            window.height = None
            window.wrap_lines = to_filter(True)
