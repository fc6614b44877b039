"""What goes on, said at a terminal while nothing else is: a line on stderr that goes before anything else is written.

There is one terminal, so there is one line: of blocks inside each other, the innermost says what goes on.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from scaffold.console.preferences import mark, quiet

_PATIENCE = 0.5  # seconds
_ERASE_LINE = "\r\x1b[2K"


@dataclass(eq=False)
class _Block:
    text: str
    stays: bool = False
    said: bool = False


class _Indicator:
    """The line, and the thread that shows it when nothing else was written for a while."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._blocks: list[_Block] = []
        self._thread: threading.Thread | None = None
        self._since = time.monotonic()  # Of this import, which is among a command's first.
        self._shown = False
        self._aside = 0
        self._displays = 0

    @property
    def active(self) -> bool:
        return bool(self._displays or (self._blocks and not self._aside))

    @contextmanager
    def busy(self, text: str, *, at_once: bool) -> Iterator[None]:
        block = _Block(text, stays=at_once)
        try:
            with self._changed:
                self._erase()
                self._blocks.append(block)
                if at_once and not self._aside:
                    _write(f"{_line(text)}\n")
                self._start()
            yield
        finally:
            with self._changed:
                if block in self._blocks:  # Ctrl-C may have come before.
                    self._blocks.remove(block)
                thread = None
                if not self._blocks:
                    thread, self._thread = self._thread, None
                self._erase()
            if thread is not None:
                thread.join()

    @contextmanager
    def set_aside(self, *, display: bool) -> Iterator[None]:
        with self._changed:
            self._erase()
            self._aside += 1
            self._displays += display
        try:
            yield
        finally:
            with self._changed:
                self._aside -= 1
                self._displays -= display
                self._since = time.monotonic()
                self._changed.notify()

    def _start(self) -> None:
        if self._thread is not None and self._thread.is_alive():
            return
        thread = threading.Thread(target=self._watch, name="indicator", daemon=True)
        with suppress(RuntimeError):  # A user with as many threads as are permitted does without the line.
            thread.start()
            self._thread = thread

    def _erase(self) -> None:
        """Take the line away if it is there. Without anything written instead, another one is shown at once."""
        if self._shown:
            self._shown = False
            if _in_foreground():
                _write("\n" if _dumb() else _ERASE_LINE)
        self._changed.notify()

    def _watch(self) -> None:
        with self._changed:
            while self._thread is threading.current_thread() and self._blocks:
                block = self._blocks[-1]
                # A terminal that cannot erase keeps every line, so that each one is said once.
                if self._shown or self._aside or block.stays or (block.said and _dumb()):
                    self._changed.wait()
                elif (left := self._since + _PATIENCE - time.monotonic()) > 0:
                    self._changed.wait(left)
                elif not _in_foreground():
                    self._changed.wait(_PATIENCE)
                else:
                    _write(_line(block.text))
                    self._shown = block.said = True


def _write(text: str) -> None:
    with suppress(OSError, ValueError):  # A terminal that was closed needs no line.
        print(text, end="", file=sys.stderr, flush=True)


def _in_foreground() -> bool:
    """Whether the terminal is this process's at the moment: a shell has it while jobs run in the background."""
    try:
        return os.tcgetpgrp(sys.stderr.fileno()) == os.getpgrp()
    except (OSError, ValueError):  # It is closed, or not the terminal of this session.
        return True


def _line(text: str) -> str:
    return f"  {text} {mark('…', '...')}"


def _dumb() -> bool:
    return os.environ.get("TERM") == "dumb"


_indicator = _Indicator()


@contextmanager
def busy(text: str, *, may_ask: bool = False) -> Iterator[None]:
    """Say at a terminal what goes on in the block, whenever nothing was written for half a second. Not with `--quiet`.

    Args:
        may_ask: Whether a program may ask something there meanwhile, such as ssh for a passphrase. The line is then
            written at once, and stays.
    """
    if quiet() or not sys.stderr.isatty():
        yield
        return
    with _indicator.busy(text, at_once=may_ask):
        yield


@contextmanager
def set_aside(*, display: bool = False) -> Iterator[None]:
    """Leave the terminal to what the block writes or asks, whatever goes on around it.

    Args:
        display: Whether it shows all the time what goes on.
    """
    with _indicator.set_aside(display=display):
        yield


def active() -> bool:
    """Whether what goes on is said at the terminal, or will be when nothing else is."""
    return _indicator.active
