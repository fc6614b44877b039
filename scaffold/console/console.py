"""What a person or a program sees: progress on stderr, results and errors in one form each."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TextIO

from scaffold.core.errors import ScaffoldError
from scaffold.core.results import Result

_GREEN, _YELLOW, _RED = "32", "33", "31"


def one_line(text: str) -> str:
    """Text on one line and free of control characters, which user input may carry into a message.

    Args:
        text: What is about to be shown.
    """
    return visible(" ".join(text.split()))


def visible(text: str) -> str:
    """Text whose control characters are spelled out, line breaks apart: names in AWS or a kit may carry them.

    Args:
        text: What is about to be shown, in one or several lines.
    """
    shown = (char.isprintable() or char == "\n" for char in text)
    return "".join(
        char if good else char.encode("unicode_escape").decode() for char, good in zip(text, shown, strict=True)
    )


class Live:
    """A block of lines that is redrawn in place on a terminal, and printed line by line elsewhere."""

    def __init__(self, stream: TextIO, redraw: bool) -> None:
        self._stream = stream
        self._redraw = redraw
        self._drawn = 0
        self._printed: set[str] = set()

    @property
    def redraws(self) -> bool:
        """Whether lines replace those shown before; if not, a line that changes is printed anew each time."""
        return self._redraw

    def update(self, lines: Sequence[str]) -> None:
        """Show the block's newest state.

        Args:
            lines: The whole block. Without a terminal only lines not shown before are printed.
        """
        if not self._redraw:
            for line in lines:
                if line not in self._printed:
                    self._printed.add(line)
                    print(line, file=self._stream, flush=True)
            return
        columns, rows = shutil.get_terminal_size()
        # A block taller than the terminal cannot be redrawn: what scrolled away stays out of reach.
        shown = [line[: columns - 1] for line in lines][-(rows - 1) :]
        up = f"\x1b[{self._drawn}F" if self._drawn else ""
        self._stream.write(up + "\x1b[J" + "".join(f"{line}\n" for line in shown))
        self._stream.flush()
        self._drawn = len(shown)


class Console:
    """Where a command reports to.

    Args:
        json: Print results and errors as JSON documents on stdout.
        quiet: Leave out progress; warnings and errors are still shown.
    """

    def __init__(self, json: bool = False, quiet: bool = False) -> None:
        self.json = json
        self.quiet = quiet

    @property
    def interactive(self) -> bool:
        """Whether a person can be asked something: both ends of the conversation are a terminal."""
        return not self.json and sys.stdin.isatty() and sys.stderr.isatty()

    def step(self, text: str) -> None:
        """Report one finished step.

        Args:
            text: What is now the case.
        """
        if not self.quiet:
            self._say(self._paint("✓", _GREEN) + f" {visible(text)}")

    def note(self, text: str) -> None:
        """Report something worth knowing that needs nothing done.

        Args:
            text: The remark.
        """
        if not self.quiet:
            self._say(f"  {visible(text)}")

    def warn(self, text: str) -> None:
        """Report something that may need the reader's attention.

        Args:
            text: The warning, with what to do about it.
        """
        self._say(self._paint("!", _YELLOW) + f" {visible(text)}")

    @contextmanager
    def live(self) -> Iterator[Live]:
        """A block of lines that changes while work goes on.

        Yields:
            The block; call `update` with all its lines.
        """
        with open(os.devnull, "w", encoding="utf-8") as nowhere:  # noqa: PTH123
            if self.quiet:
                yield Live(nowhere, redraw=False)
            else:
                yield Live(sys.stderr, redraw=sys.stderr.isatty() and os.environ.get("TERM") != "dumb")

    def render(self, result: Result) -> None:
        """Print a command's result on stdout.

        Args:
            result: What the command handed back.
        """
        if self.json:
            print(json.dumps(result.document(), indent=2, default=str))
        elif text := result.text():
            print(text)

    def render_error(self, error: ScaffoldError) -> None:
        """Print what happened and what to do about it.

        Args:
            error: The failure that ended the command.
        """
        happened, remedy = one_line(error.happened), one_line(error.remedy)
        self._say(self._paint("Error:", _RED) + f" {happened}")
        if remedy:
            self._say(f"  {remedy}")
        if self.json:
            document = {"happened": happened, "remedy": remedy, "exit_code": error.exit_code}
            print(json.dumps({"error": document}, indent=2))

    def _say(self, text: str) -> None:
        print(text, file=sys.stderr, flush=True)

    def _paint(self, text: str, colour: str) -> str:
        if "NO_COLOR" in os.environ or not sys.stderr.isatty():
            return text
        return f"\x1b[{colour}m{text}\x1b[0m"
