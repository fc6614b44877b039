"""The two output streams: progress, warnings and errors on stderr, results on stdout."""

from __future__ import annotations

import io
import json
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TextIO, TypeVar

from scaffold.console import indicator
from scaffold.console.preferences import coloured, mark, quiet, verbose
from scaffold.core.errors import ScaffoldError
from scaffold.core.results import SCHEMA_VERSION, Result
from scaffold.core.secrets import redact, redact_strings

if TYPE_CHECKING:
    import rich.live

_GREEN, _YELLOW, _RED = "32", "33", "31"
_Result = TypeVar("_Result", bound=Result)


def one_line(text: str) -> str:
    """Text on one line, with control characters escaped."""
    return visible(" ".join(text.split()))


def visible(text: str) -> str:
    """Text with control characters escaped, except line breaks: names in AWS or in a kit may hold them."""
    shown = (char.isprintable() or char == "\n" for char in text)
    return "".join(
        char if good else char.encode("unicode_escape").decode() for char, good in zip(text, shown, strict=True)
    )


def detail(text: str) -> None:
    """Write a line to stderr if details are shown."""
    if verbose():
        with indicator.set_aside():
            print(f"  {mark('·', '-')} {visible(redact(text))}", file=sys.stderr, flush=True)


@contextmanager
def timed(what: str) -> Iterator[None]:
    """Write how long the block took, if details are shown, whether it succeeds or not."""
    began = time.monotonic()
    try:
        yield
    finally:
        detail(f"{what}, {time.monotonic() - began:.2f} s")


def _as_json(value: object) -> str:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    raise TypeError(f"{type(value).__name__} in a result")


class Live:
    """Lines that are redrawn in place on a terminal, and printed once each elsewhere.

    Args:
        display: Begins Rich's display on a terminal, which is done once there is something to show; None elsewhere.
        printed: Lines that were printed before.
    """

    def __init__(self, stream: TextIO, display: Callable[[], rich.live.Live] | None, printed: set[str]) -> None:
        self._stream = stream
        self._begin = display
        self._display: rich.live.Live | None = None
        self._printed = printed

    @property
    def redraws(self) -> bool:
        """Whether lines replace those shown before; if not, a line that changes is printed again."""
        return self._begin is not None

    def update(self, lines: Sequence[str]) -> None:
        """Show all lines. Without a terminal only those not shown before are printed."""
        lines = [redact(line) for line in lines]
        if self._begin is not None:
            if self._display is None and lines:
                self._display = self._begin()
            if self._display is not None:
                from rich.text import Text

                # Lines that scrolled off the terminal cannot be redrawn.
                height = self._display.console.height - 1
                text = Text("\n".join(lines[-height:]), no_wrap=True, overflow="ellipsis")
                self._display.update(text, refresh=True)
            return
        with indicator.set_aside():
            for line in lines:
                if line not in self._printed:
                    self._printed.add(line)
                    print(line, file=self._stream, flush=True)


class Console:
    """Where a command reports to.

    Args:
        json: Print results and errors as JSON documents on stdout.
    """

    def __init__(self, json: bool = False) -> None:
        self.json = json

    @property
    def interactive(self) -> bool:
        """Whether stdin and stderr are terminals, so that prompts can be shown."""
        return not self.json and sys.stdin.isatty() and sys.stderr.isatty()

    def step(self, text: str) -> None:
        """Report a finished step."""
        if not quiet():
            self._print(self._paint(mark("✓", "+"), _GREEN) + f" {visible(text)}")

    def note(self, text: str) -> None:
        """Report something that needs no action."""
        if not quiet():
            self._print(f"  {visible(text)}")

    def warn(self, text: str) -> None:
        """Report something that may need the reader's attention, with what to do about it."""
        self._print(self._paint("!", _YELLOW) + f" {visible(text)}")

    @contextmanager
    def live(self, printed: set[str] | None = None) -> Iterator[Live]:
        """Lines that change while work goes on; call `update` with all of them.

        Args:
            printed: Where printed lines are remembered, for work that goes on in a second block; unused on a terminal.
        """
        printed = set() if printed is None else printed
        if quiet():
            yield Live(_Nowhere(), None, printed)
            return
        if not sys.stderr.isatty() or os.environ.get("TERM") == "dumb":
            yield Live(sys.stderr, None, printed)
            return
        with ExitStack() as stack:

            def display() -> rich.live.Live:
                from rich.console import Console as RichConsole
                from rich.live import Live as RichLive

                stack.enter_context(indicator.set_aside(display=True))
                drawn = RichLive(console=RichConsole(stderr=True), auto_refresh=False, vertical_overflow="visible")
                return stack.enter_context(drawn)

            yield Live(sys.stderr, display, printed)

    @contextmanager
    def busy(self, text: str) -> Iterator[None]:
        """Say at a terminal what goes on in the block, whenever nothing was written for half a second."""
        with indicator.busy(text):
            yield

    def render(self, result: _Result, text: Callable[[_Result], str]) -> int:
        """Print a command's result on stdout.

        Args:
            text: How a person reads it; with `--json` it is not called.

        Returns:
            The command's exit code.
        """
        if self.json:
            shown = json.dumps(redact_strings(result.document()), indent=2, default=_as_json)
        else:
            shown = redact(text(result))
        with indicator.set_aside():
            print(shown)
        return result.exit_code

    def render_error(self, error: ScaffoldError) -> None:
        """Print what happened and what to do about it, after the log that shows it."""
        happened, remedy = redact(one_line(error.happened)), redact(one_line(error.remedy))
        log = [redact(visible(line)) for line in error.log]
        if log:
            self._print("\n".join(["The last lines of its log:", *(f"  {line}" for line in log)]))
        self._print(self._paint("Error:", _RED) + f" {happened}")
        if remedy:
            self._print(f"  {remedy}")
        if self.json:
            document = {
                "type": type(error).__name__,
                "happened": happened,
                "remedy": remedy,
                "exit_code": error.exit_code,
                **({"log": log} if log else {}),
            }
            print(json.dumps({"schema_version": SCHEMA_VERSION, "error": document}, indent=2))

    def _print(self, text: str) -> None:
        with indicator.set_aside():
            print(redact(text), file=sys.stderr, flush=True)

    def _paint(self, text: str, colour: str) -> str:
        return f"\x1b[{colour}m{text}\x1b[0m" if coloured(sys.stderr) else text


class _Nowhere(io.StringIO):
    """Where progress goes with `--quiet`."""

    def write(self, text: str) -> int:
        return len(text)
