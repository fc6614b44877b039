"""`scaffold local`: local AWS in the foreground, or around one command."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from types import FrameType
from typing import Any

from scaffold.console.console import Console
from scaffold.core.errors import ScaffoldError
from scaffold.core.signals import handled_signals
from scaffold.core.stand_in import WITHOUT_ENGINE
from scaffold.core.target import RUNS_VARIABLE
from scaffold.local.environment import inside, running_local_aws
from scaffold.local.shell import (
    container_engine,
    default_region,
    export_lines,
    is_shell_for_a_person,
    prompt_variables,
)

_SHELL_SIGNAL_BASE = 128


class CommandNotFound(ScaffoldError):
    """There is no such command; with the exit code of a shell."""

    exit_code = 127


class CommandNotExecutable(ScaffoldError):
    """The command cannot be executed; with the exit code of a shell."""

    exit_code = 126


def run(command: list[str], console: Console, *, runs: bool = True, speed: float | None = None) -> int:
    """Run local AWS until Ctrl-C, or for as long as a command runs.

    Args:
        command: The command and its arguments; empty to run in the foreground.
        runs: Whether pipelines, builds and services run.
        speed: How many seconds of waiting, such as a bake, pass in one second; None for one.

    Returns:
        The command's exit code, or 128 and the number of the signal that ended it; 0 after Ctrl-C in the foreground.

    Raises:
        ScaffoldError: Local AWS does not start, or it is running already and there is no command.
    """
    if inside():
        return _run_inside(command, console, runs=runs, speed=speed)
    region, containers = default_region(), container_engine()
    if sys.stderr.isatty():
        console.note("Starting local AWS.")
    with running_local_aws(region, runs=runs, speed=speed or 1, containers=containers) as aws:
        if is_shell_for_a_person(command):
            console.note("This shell works with local AWS, whatever your configuration says. `exit` ends both.")
            return _run(command, {**aws.variables, **prompt_variables()})
        if command:
            return _run(command, aws.variables)
        print("\n".join(export_lines(aws.variables)), flush=True)
        console.step(f"Local AWS is running at {aws.variables['AWS_ENDPOINT_URL']}.")
        if runs:
            engine = aws.containers or f"this machine's Node, {WITHOUT_ENGINE} ({aws.no_containers})"
            console.note(f"Images are built and run by {engine}.")
        console.note("Paste the lines above into another terminal to use it there. Its state is lost when it ends.")
        console.note("Press Ctrl-C to end it.")
        try:
            aws.process.wait()
        except KeyboardInterrupt:
            return 0
        raise ScaffoldError("Local AWS ended unexpectedly.", "Start it again with `scaffold local`.")


def _run_inside(command: list[str], console: Console, *, runs: bool, speed: float | None) -> int:
    """Run a command with the local AWS of this shell."""
    if not command:
        raise ScaffoldError(
            f"Local AWS is running already, at {os.environ['AWS_ENDPOINT_URL']}.",
            "Use it, or leave this shell to start another local AWS.",
        )
    if not runs and os.environ.get(RUNS_VARIABLE) == "1":
        raise ScaffoldError(
            "The local AWS of this shell runs pipelines.", "Leave --no-run out, or leave this shell to start another."
        )
    console.note(f"Already inside local AWS: using it{'' if speed is None else ', with its own speed'}.")
    return _run(command, {})


def _run(command: Sequence[str], variables: Mapping[str, str]) -> int:
    """Run a command to its end and return its exit code as a shell would."""
    with _SignalRelay() as relay:
        try:
            process = subprocess.Popen(command, env={**os.environ, **variables})
        except (FileNotFoundError, NotADirectoryError):
            raise CommandNotFound(
                f"There is no command `{command[0]}`.", "Check its spelling, and that it is on the PATH."
            ) from None
        except OSError:
            raise CommandNotExecutable(
                f"`{command[0]}` is not executable.", "Check the file and its permissions."
            ) from None
        relay.start(process)
        code = process.wait()
    return code if code >= 0 else _SHELL_SIGNAL_BASE - code


class _SignalRelay:
    """Passes signals on to the command, while this process outlives it to clean up.

    Ctrl-C in a terminal reaches the command by itself; a signal sent to this process alone is passed on,
    also one that arrives while the command is starting.
    """

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._early: list[int] = []
        self._before: dict[int, Any] = {}

    def __enter__(self) -> _SignalRelay:
        for number in handled_signals():
            self._before[number] = signal.signal(number, self._pass_on)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def start(self, process: subprocess.Popen[bytes]) -> None:
        """Pass signals on to a process, those first that have arrived already."""
        self._process = process
        for number in self._early:
            process.send_signal(number)

    def _pass_on(self, number: int, _frame: FrameType | None) -> None:
        if number == signal.SIGINT and _in_foreground():
            return
        if self._process is None:
            self._early.append(number)
        else:
            self._process.send_signal(number)


def _in_foreground() -> bool:
    """Whether this process group is in the foreground of a terminal, whose Ctrl-C then reaches the command too."""
    try:
        with open("/dev/tty", "rb") as terminal:  # noqa: PTH123
            return os.tcgetpgrp(terminal.fileno()) == os.getpgrp()
    except OSError:
        return False
