"""Prompts on a terminal: text, yes or no, and the confirmation by name."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from scaffold.console.console import Console
from scaffold.core.errors import Interrupted, UsageError


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
    message: str, *, default: str = "", validate: Callable[[str], bool | str] | None = None, **options: Any
) -> str:
    """Ask for a line of text.

    Args:
        default: The text to edit.
        validate: Called with the text; returns true, or the reason of a refusal.
        options: Further options of `questionary.text`, such as `is_password`.

    Raises:
        KeyboardInterrupt: Ctrl-C or Ctrl-D was pressed.
    """
    import questionary

    prompt = questionary.text(
        message, default=default, validate=validate, qmark="?", output=output(), key_bindings=_abort_keys(), **options
    )
    _wrap_refusals(prompt.application.layout)
    return str(ask(prompt))


def confirm(message: str, *, default: bool = False) -> bool:
    """Ask for yes or no.

    Args:
        default: What Enter alone means.

    Raises:
        KeyboardInterrupt: Ctrl-C or Ctrl-D was pressed.
    """
    import questionary

    return bool(ask(questionary.confirm(message, default=default, auto_enter=False, qmark="?", output=output())))


def confirm_by_name(name: str, console: Console) -> bool:
    """Ask for a name to be typed before something is destroyed.

    Raises:
        UsageError: Stdin or stderr is not a terminal.
        Interrupted: Ctrl-C or Ctrl-D was pressed.
    """
    if not console.interactive:
        raise UsageError(
            "Cannot ask for confirmation: this is not a terminal.",
            "Add `--yes` to confirm, or `--plan` to see first what would be deleted.",
        )
    try:
        return ask_text(f"Type {name} to continue").strip() == name
    except KeyboardInterrupt:
        raise Interrupted("Interrupted: nothing was deleted.", "Run the same command again to continue.") from None


def ask(question: Any) -> Any:
    """Show a prompt of questionary's and return its answer.

    Raises:
        KeyboardInterrupt: Ctrl-C or Ctrl-D was pressed.
    """
    try:
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
