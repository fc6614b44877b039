"""Lines of another program's output, written to stdout as they are."""

from __future__ import annotations

import select
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from scaffold.console import indicator
from scaffold.console.console import visible


class Lines:
    """Writes lines to stdout, each one at once.

    A terminal gets control characters escaped: who writes a log could attack it with them. A pipe or a file gets the
    lines as they are.
    """

    def __init__(self) -> None:
        self._stream = sys.stdout
        self._terminal = self._stream.isatty()

    def write(self, text: str) -> None:
        """Write text, one line or several."""
        text = text.removesuffix("\n")
        if self._terminal:
            text = "\t".join(visible(part) for part in text.replace("\r\n", "\n").split("\t"))
        encoding = self._stream.encoding or "utf-8"
        with indicator.set_aside():
            self._stream.buffer.write(f"{text}\n".encode(encoding, "backslashreplace"))
            self._stream.buffer.flush()

    @contextmanager
    def followed(self, text: str) -> Iterator[None]:
        """Say what goes on while lines are waited for; not where a pipe's reader may write to the terminal.

        Args:
            text: As `Console.busy` takes it.
        """
        with indicator.busy(text) if self._terminal else indicator.set_aside():
            yield

    def check_reader(self) -> None:
        """Notice a pipe that its reader has closed, while there is nothing to write.

        Raises:
            BrokenPipeError: It is closed.
        """
        if self._terminal or not hasattr(select, "poll"):
            return
        poll = select.poll()
        poll.register(self._stream.fileno(), 0)
        if any(event & select.POLLERR for _, event in poll.poll(0)):
            raise BrokenPipeError
