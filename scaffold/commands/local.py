"""`scaffold local`: local AWS in the foreground, or around one command."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

from scaffold.console.console import Console
from scaffold.core.errors import ScaffoldError
from scaffold.core.results import Result
from scaffold.core.signals import heeded
from scaffold.local.environment import inside, running_local_aws
from scaffold.service.service import read

_SHELL_SIGNAL_BASE = 128


class CommandNotFound(ScaffoldError):
    """There is no such command, in the words and the exit code of a shell."""

    exit_code = 127


class CommandNotExecutable(ScaffoldError):
    """The command is there and cannot be run, in the words and the exit code of a shell."""

    exit_code = 126


@dataclass(frozen=True)
class LocalResult(Result):
    """How it ended.

    Attributes:
        code: The exit code of the command that ran inside; 0 without one.
    """

    code: int

    @property
    def exit_code(self) -> int:
        """The command's own exit code, or 128 and the number of the signal that ended it."""
        return self.code

    def text(self) -> str:
        """Nothing: what there was to say was said at the start, or by the command."""
        return ""


def local(command: list[str], *, console: Console) -> LocalResult:
    """Run local AWS until Ctrl-C, or for as long as a command takes.

    Args:
        command: The command and its arguments; empty to run in the foreground.
        console: Where to report.

    Returns:
        The result, with the command's exit code.

    Raises:
        ScaffoldError: Local AWS does not start, or runs around us already and there is no command.
        CommandNotFound: There is no such command.
    """
    if inside():
        if not command:
            raise ScaffoldError(
                f"Local AWS is running already, at {os.environ['AWS_ENDPOINT_URL']}.",
                "Use it as it is; to start another one, leave this shell first.",
            )
        console.note("Inside local AWS already: using that one.")
        return LocalResult(_run(command, {}))
    with running_local_aws(_region()) as aws:
        if command:
            return LocalResult(_run(command, aws.variables))
        print("\n".join(_exports(aws.variables)), flush=True)
        console.step(f"Local AWS is running at {aws.variables['AWS_ENDPOINT_URL']}.")
        console.note("Paste the lines above into another terminal to use it there. Nothing outlives it.")
        console.note("Press Ctrl-C to end it.")
        try:
            aws.process.wait()
        except KeyboardInterrupt:
            return LocalResult(0)
        raise ScaffoldError("Local AWS ended by itself.", "Start it again with: scaffold local")


def _region() -> str:
    """The region that the environment names, else the one of the service that we stand in."""
    if named := os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION"):
        return named
    try:
        return read(Path.cwd()).region
    except ScaffoldError:
        return "us-east-1"


def _exports(variables: Mapping[str, str]) -> Iterator[str]:
    """The variables as lines for a shell. The PATH of the other shell is its own: ours only goes in front."""
    for name, value in sorted(variables.items()):
        if name == "PATH":
            yield f'export PATH={shlex.quote(value.split(os.pathsep)[0])}{os.pathsep}"$PATH"'
        else:
            yield f"export {name}={shlex.quote(value)}"


def _run(command: Sequence[str], variables: Mapping[str, str]) -> int:
    """Run a command to its end and return its exit code as a shell would."""
    with _Relay() as relay:
        try:
            process = subprocess.Popen(command, env={**os.environ, **variables})
        except (FileNotFoundError, NotADirectoryError):
            raise CommandNotFound(
                f"There is no command `{command[0]}`.", "Check its spelling, and that it is on the PATH."
            ) from None
        except OSError:
            raise CommandNotExecutable(
                f"`{command[0]}` is no program that can be run.", "Check the file and its permissions."
            ) from None
        relay.start(process)
        code = process.wait()
    return code if code >= 0 else _SHELL_SIGNAL_BASE - code


class _Relay:
    """Lets the command answer signals, while we outlive it to clean up.

    Ctrl-C in a terminal reaches the command by itself; a signal sent to us alone is handed on,
    also one that comes while the command is only starting.
    """

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._early: list[int] = []
        self._before: dict[int, Any] = {}

    def __enter__(self) -> _Relay:
        for number in heeded():
            self._before[number] = signal.signal(number, self._hand_on)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def start(self, process: subprocess.Popen[bytes]) -> None:
        """Hand signals on to a command, those that came already first."""
        self._process = process
        for number in self._early:
            process.send_signal(number)

    def _hand_on(self, number: int, _frame: FrameType | None) -> None:
        if number == signal.SIGINT and _in_foreground():
            return
        if self._process is None:
            self._early.append(number)
        else:
            self._process.send_signal(number)


def _in_foreground() -> bool:
    """Whether this process is in the foreground of a terminal, whose Ctrl-C then reaches the command too."""
    try:
        with open("/dev/tty", "rb") as terminal:  # noqa: PTH123
            return os.tcgetpgrp(terminal.fileno()) == os.getpgrp()
    except OSError:
        return False
