"""The shell of a build: one process for all commands, so that `cd`, variables and `. FILE` last, as in version 0.2."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

# Reads the path of a command from 3, runs it, and answers with its exit status on 4. The commands have neither.
# `export -p` after each command: a command that ends the shell, by `exit` or `set -e`, leaves what was exported before.
_DRIVER = """\
__codebuild_save() { export -p >"$CODEBUILD_STATE/variables"; pwd >"$CODEBUILD_STATE/directory"; }
if [ -f "$CODEBUILD_STATE/variables" ]; then
  . "$CODEBUILD_STATE/variables" 2>/dev/null
  cd "$(cat "$CODEBUILD_STATE/directory")"
fi
trap __codebuild_save 0
while read -r __codebuild_command <&3; do
  { . "$__codebuild_command"; } 3<&- 4>&-
  __codebuild_status=$?
  __codebuild_save
  echo "$__codebuild_status" >&4
done
"""

_SUPERVISOR = str(Path(__file__).with_name("supervisor.py"))


class Shell:
    """Runs commands one after the other.

    Args:
        kind: `bash` or `sh`.
        directory: The working directory of the first command.
        variables: The whole environment.
        output: The file descriptor of the commands' standard output and error.
        state: A folder of its own.
    """

    def __init__(self, kind: str, directory: Path, variables: Mapping[str, str], output: int, state: Path) -> None:
        self._kind = kind
        self._directory = directory
        self._variables = {**variables, "CODEBUILD_STATE": str(state)}
        self._output = output
        self._state = state
        self._process: subprocess.Popen[bytes] | None = None
        self._commands = self._statuses = -1
        self._killed = False
        self._count = 0

    def run(self, command: str, **variables: str) -> int:
        """Run a command and return its exit status. A shell that the command ends is started again.

        Args:
            variables: Variables that the engine sets for this command and those after it.
        """
        if self._process is None and not self.start():
            return 137
        self._count += 1
        script = self._state / f"command-{self._count}.sh"
        settings = "".join(f"export {name}={shlex.quote(value)}\n" for name, value in variables.items())
        script.write_text(f"{settings}{command}\n", "utf-8")
        with suppress(BrokenPipeError):
            os.write(self._commands, f"{script}\n".encode())
        answer = b""
        while not answer.endswith(b"\n"):
            part = os.read(self._statuses, 1)
            if not part:  # Its supervisor was killed.
                return 137
            answer += part
        if answer.startswith(b"exit "):
            self._discard()
        return int(answer.removeprefix(b"exit "))

    def variables(self) -> dict[str, str]:
        """What the shell exports now."""
        saved = self._state / "variables"
        if not saved.exists():
            return dict(self._variables)
        done = subprocess.run(
            [self._kind, "-c", '. "$1" 2>/dev/null; env -0', "sh", str(saved)],
            env={"PATH": os.defpath},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
        )
        lines = done.stdout.decode(errors="replace").split("\0")
        return {name: value for name, sign, value in (line.partition("=") for line in lines) if sign}

    def kill(self) -> None:
        """Kill the shell and everything that was started in it. May be called from any thread, and more than once."""
        self._killed = True
        self._stop()

    def close(self) -> None:
        """Kill what is left and release the pipes."""
        self.kill()
        self._release()

    def start(self) -> bool:
        """Start the shell, or return false if it was killed."""
        if self._killed:
            return False
        driver = self._state / "driver.sh"
        driver.write_text(_DRIVER)
        read_commands, self._commands = os.pipe()
        self._statuses, write_statuses = os.pipe()
        try:
            self._process = subprocess.Popen(
                [
                    *(sys.executable, "-I", "-S", _SUPERVISOR, str(read_commands), str(write_statuses)),
                    *(self._kind, str(driver)),
                ],
                stdin=subprocess.PIPE,
                stdout=self._output,
                stderr=self._output,
                cwd=self._directory,
                env=self._variables,
                pass_fds=(read_commands, write_statuses),
                start_new_session=True,
            )
        finally:
            os.close(read_commands)
            os.close(write_statuses)
        if self._killed:
            self._stop()
        return True

    def _discard(self) -> None:
        """Release a shell that a command has ended, and kill what it has left. The next command starts another."""
        self._stop()
        self._release()
        self._process = None

    def _stop(self) -> None:
        process = self._process
        if process is not None:
            assert process.stdin is not None  # noqa: S101
            with suppress(OSError):
                process.stdin.close()
            process.wait()

    def _release(self) -> None:
        for descriptor in (self._commands, self._statuses):
            with suppress(OSError):
                os.close(descriptor)
        self._commands = self._statuses = -1
