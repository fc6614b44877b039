"""One prompt on a terminal: what it looks like, what refuses an answer, and which keys leave it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any


def ask_text(
    message: str, *, default: str = "", validate: Callable[[str], bool | str] | None = None, **options: Any
) -> str:
    """Ask for a line of text.

    Args:
        message: What is asked.
        default: What stands there to be edited.
        validate: Says of what is typed that it will do, or why not.
        options: Further options of `questionary.text`, such as `is_password`.

    Raises:
        KeyboardInterrupt: Ctrl-C or Ctrl-D was pressed.
    """
    import questionary

    prompt = questionary.text(
        message, default=default, validate=validate, qmark="?", output=output(), key_bindings=_leaving_keys(), **options
    )
    _unfold_refusals(prompt.application.layout)
    return str(ask(prompt))


def ask(question: Any) -> Any:
    """Show one prompt of questionary's and return its answer.

    Args:
        question: The prompt.

    Raises:
        KeyboardInterrupt: Ctrl-C or Ctrl-D was pressed.
    """
    try:
        return question.unsafe_ask()
    except EOFError:
        raise KeyboardInterrupt from None


def output() -> Any:
    """Prompts appear on stderr: stdout is for results."""
    from prompt_toolkit.output import create_output

    return create_output(stdout=sys.stderr)


def _leaving_keys() -> Any:
    """Ctrl-D leaves behind a filled-in answer too, where there is nothing that it could delete."""
    from prompt_toolkit.application import get_app
    from prompt_toolkit.filters import Condition
    from prompt_toolkit.key_binding import KeyBindings

    keys = KeyBindings()

    @keys.add("c-d", filter=Condition(lambda: get_app().current_buffer.document.is_cursor_at_the_end), eager=True)
    def _(event: Any) -> None:
        event.app.exit(exception=EOFError, style="class:aborting")

    return keys


def _unfold_refusals(layout: Any) -> None:
    """Give the line that says why an answer is refused as many lines as it takes: its end is the way out."""
    from prompt_toolkit.filters import to_filter
    from prompt_toolkit.layout.controls import FormattedTextControl

    for window in layout.find_all_windows():
        if window.height == 1 and isinstance(window.content, FormattedTextControl):
            window.height = None
            window.wrap_lines = to_filter(True)
