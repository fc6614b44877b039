"""`scaffold local`: local AWS in the foreground, or around one command."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import FrameType
from typing import Any

from scaffold.console.console import Console
from scaffold.core.errors import ScaffoldError, UsageError
from scaffold.core.signals import handled_signals
from scaffold.core.target import RUNS_VARIABLE
from scaffold.local.environment import inside, running_local_aws
from scaffold.service.service import read

#: The variable that chooses a container engine.
ENGINE_VARIABLE = "SCAFFOLD_CONTAINER_ENGINE"

_ENGINES = ("podman", "none")
_SHELL_SIGNAL_BASE = 128


class CommandNotFound(ScaffoldError):
    """There is no such command; with the exit code of a shell."""

    exit_code = 127


class CommandNotExecutable(ScaffoldError):
    """The command cannot be executed; with the exit code of a shell."""

    exit_code = 126


def run(command: list[str], console: Console, *, runs: bool = False, speed: float = 1) -> int:
    """Run local AWS until Ctrl-C, or for as long as a command runs.

    Args:
        command: The command and its arguments; empty to run in the foreground.
        runs: Whether pipelines, builds and services run.
        speed: How many seconds of waiting, such as a bake, pass in one second.

    Returns:
        The command's exit code, or 128 and the number of the signal that ended it; 0 after Ctrl-C in the foreground.

    Raises:
        ScaffoldError: Local AWS does not start, or it is running already and there is no command.
    """
    if speed != 1 and not runs:
        raise UsageError("--speed is about what runs.", "Add --run, or leave --speed out.")
    if inside():
        if not command:
            raise ScaffoldError(
                f"Local AWS is running already, at {os.environ['AWS_ENDPOINT_URL']}.",
                "Use it, or leave this shell to start another local AWS.",
            )
        if runs and os.environ.get(RUNS_VARIABLE) != "1":
            raise ScaffoldError(
                "The local AWS of this shell runs no pipelines.", "Leave this shell, and start another with `--run`."
            )
        console.note("Already inside local AWS: using it.")
        return _run(command, {})
    with running_local_aws(_region(), runs=runs, speed=speed, containers=_container_engine()) as aws:
        if runs:
            engine = aws.containers or "this machine's Node, without a container engine"
            console.note(f"Images are built and run by {engine}.")
        if command:
            return _run(command, aws.variables)
        print("\n".join(_exports(aws.variables)), flush=True)
        console.step(f"Local AWS is running at {aws.variables['AWS_ENDPOINT_URL']}.")
        console.note("Paste the lines above into another terminal to use it there. Its state is lost when it ends.")
        console.note("Press Ctrl-C to end it.")
        try:
            aws.process.wait()
        except KeyboardInterrupt:
            return 0
        raise ScaffoldError("Local AWS ended unexpectedly.", "Start it again with `scaffold local`.")


def _container_engine() -> str:
    """The choice of the environment variable; empty for podman where it works."""
    choice = os.environ.get(ENGINE_VARIABLE, "")
    if choice not in ("", *_ENGINES):
        raise UsageError(
            f"The environment variable {ENGINE_VARIABLE} is {choice!r}.",
            f"Set it to {' or '.join(_ENGINES)}, or unset it.",
        )
    return choice


def _region() -> str:
    """The region of the environment variables, else of the service in the current directory."""
    if configured := os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION"):
        return configured
    try:
        return read(Path.cwd()).region
    except ScaffoldError:
        return "us-east-1"


def _exports(variables: Mapping[str, str]) -> Iterator[str]:
    """The variables as lines for a shell. The line for PATH adds a directory to the PATH of that shell."""
    for name, value in sorted(variables.items()):
        if name == "PATH":
            yield f'export PATH={shlex.quote(value.split(os.pathsep)[0])}{os.pathsep}"$PATH"'
        else:
            yield f"export {name}={shlex.quote(value)}"


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
