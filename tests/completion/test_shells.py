"""Completion in the real shells: what the screen shows after the tab key."""

from __future__ import annotations

import os
import shlex
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pexpect
import pyte
import pytest

from tests.cli.running import COMMAND, ROOT

COLUMNS, LINES = 110, 30
STARTS = {
    "bash": (["--norc", "--noprofile", "-i"], ["source <(scaffold completion bash)"]),
    "zsh": (["-f", "-i"], ["autoload -U compinit; compinit -u -d $HOME/dump", "source <(scaffold completion zsh)"]),
    "fish": (["--no-config", "-i"], ["scaffold completion fish | source"]),
}
Type = Callable[[str, str], list[str]]


class Shell:
    """An interactive shell on a terminal of which the screen is kept."""

    def __init__(self, name: str, home: Path) -> None:
        (home / "bin").mkdir()
        program = home / "bin" / "scaffold"
        program.write_text(f'#!/bin/sh\nexec {shlex.join(COMMAND)} "$@"\n')
        program.chmod(0o755)
        (home / ".copier-answers.yml").write_text("environments: dev,staging,prod\n")
        variables = {"HOME": str(home), "PYTHONPATH": str(ROOT), "PS1": "$ ", "TERM": "xterm", "LC_ALL": "C.UTF-8"}
        options, commands = STARTS[name]
        self.screen = pyte.Screen(COLUMNS, LINES)
        self._stream = pyte.Stream(self.screen)
        self.child = pexpect.spawn(
            shutil.which(name) or name,
            options,
            cwd=str(home),
            env={**os.environ, **variables, "PATH": f"{home / 'bin'}:{os.environ['PATH']}"},
            encoding="utf-8",
            dimensions=(LINES, COLUMNS),
        )
        for command in commands:
            self.child.sendline(f"{command}; echo rea''dy")
            self.wait(lambda shown: "ready" in shown.split())
            self.child.sendline("clear")
            self.wait(lambda shown: "ready" not in shown.split())

    def wait(self, until: Callable[[str], bool]) -> str:
        """Read what the shell writes until the screen is as expected, and return it."""
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            try:
                self._stream.feed(self.child.read_nonblocking(4096, timeout=0.2))
            except pexpect.TIMEOUT:
                shown = "\n".join(line.rstrip() for line in self.screen.display).strip()
                if until(shown):
                    return shown
        raise AssertionError("\n".join(self.screen.display))


@pytest.fixture(params=list(STARTS))
def shell(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Shell]:
    if not shutil.which(request.param) and not os.environ.get("CI"):
        pytest.skip(f"{request.param} is not installed")
    started = Shell(request.param, tmp_path)
    yield started
    started.child.close(force=True)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_the_tab_key_completes(shell: Shell) -> None:
    # One candidate is written into the line, with a space unless a value has to follow.
    for typed, completed in [
        ("scaffold dep\t--pl\t", "scaffold deploy --plan"),
        ("scaffold new --data aws_r\teu-west-1", "scaffold new --data aws_region=eu-west-1"),
        ("scaffold new --data scan_gate=h\t", "scaffold new --data scan_gate=high"),
        ("scaffold logs st\t--since", "scaffold logs staging --since"),
    ]:
        shell.child.send(typed)
        shell.wait(lambda shown, wanted=completed: wanted in shown)
        shell.child.send("\x15")
        shell.child.sendline("clear")
        shell.wait(lambda shown: "scaffold" not in shown)
    # Several are listed.
    shell.child.send("scaffold destroy --environment \t\t")
    shell.wait(lambda shown: all(name in shown for name in ("dev", "staging", "prod")))
    shell.child.send("\x15\x03")
    # Where no word is known, files are completed.
    shell.child.sendline("mkdir payments-folder; clear")
    shell.wait(lambda shown: "scaffold" not in shown and "mkdir" not in shown)
    shell.child.send("scaffold status paym\t")
    shell.wait(lambda shown: "payments-folder" in shown)
