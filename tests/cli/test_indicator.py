"""The line that says at a terminal what goes on."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pexpect
import pyte
import pytest

from scaffold.console import indicator, preferences
from scaffold.console.console import Console

_HEAD = """
import sys, threading, time
from scaffold.console import indicator
from scaffold.console.console import Console
console = Console()

def shown(text):
    # Not a fixed time: a busy machine may take longer.
    while not (indicator._indicator._shown and indicator._indicator._blocks[-1].text == text):
        time.sleep(0.01)
"""


def run(script: str, patience: float = 0.01, **environment: str) -> str:
    """Everything that a script writes to its terminal."""
    head = f"{_HEAD}\nindicator._PATIENCE = {patience}\n"
    variables = {**os.environ, "TERM": "xterm", **environment}
    child = pexpect.spawn(sys.executable, ["-c", head + script], env=variables, encoding="utf-8", timeout=60)
    return str(child.read())


def screen(written: str) -> list[str]:
    """The lines that are left on a terminal."""
    terminal = pyte.Screen(80, 24)
    pyte.Stream(terminal).feed(written)
    return [line.rstrip() for line in terminal.display if line.strip()]


@pytest.mark.parametrize(("patience", "said"), [(0.01, True), (60.0, False)])
def test_what_takes_long_is_said_until_it_is_done(patience: float, said: bool) -> None:
    wait = "shown('Generating')" if said else "time.sleep(0.2)"
    written = run(f"with console.busy('Generating'): {wait}\nconsole.note('done')", patience)
    assert ("  Generating …" in written) is said
    assert screen(written) == ["  done"]


def test_what_is_written_meanwhile_replaces_the_line_which_comes_back() -> None:
    written = run(
        "with console.busy('Generating'):\n"
        "    for name in ('one', 'two'):\n"
        "        shown('Generating')\n"
        "        console.note(name)\n"
        "    shown('Generating')\n"
        "    print('\\x1b7', end='')\n"
    )
    assert written.count("  Generating …") == 3
    assert screen(written) == ["  one", "  two"]


def test_the_innermost_block_is_said_and_then_the_one_around_it() -> None:
    written = run(
        "with console.busy('Updating'):\n"
        "    shown('Updating')\n"
        "    with console.busy('Merging'): shown('Merging')\n"
        "    shown('Updating')\n"
    )
    assert [part.strip() for part in written.split("\r\x1b[2K") if part.strip()] == [
        "Updating …",
        "Merging …",
        "Updating …",
    ]


def test_a_prompt_has_the_terminal_to_itself() -> None:
    script = (
        f"{_HEAD}\nindicator._PATIENCE = 0.01\n"
        "from scaffold.console.prompt import ask_text\n"
        "with console.busy('Deleting'):\n"
        "    shown('Deleting')\n"
        "    print('got', ask_text('Name:'))\n"
        "    shown('Deleting')\n"
    )
    child = pexpect.spawn(
        sys.executable, ["-c", script], env={**os.environ, "TERM": "xterm"}, encoding="utf-8", timeout=60
    )
    child.expect("Name:")
    with pytest.raises(pexpect.TIMEOUT):
        child.expect("Deleting", timeout=1)
    child.send("orders\r")
    child.expect("got orders")
    child.expect("Deleting")
    child.expect(pexpect.EOF)


def test_live_lines_are_not_disturbed() -> None:
    written = run(
        "with console.busy('Waiting'):\n"
        "    with console.live() as live:\n"
        "        shown('Waiting')\n"
        "        live.update(['one', 'two'])\n"
        "        assert indicator.active()\n"
        "        time.sleep(0.2)\n"
        "        live.update(['one', 'three'])\n"
        "    shown('Waiting')\n"
    )
    assert written.count("Waiting …") == 2
    assert screen(written) == ["one", "three"]


def test_where_a_program_may_ask_the_line_is_written_at_once_and_left_alone() -> None:
    written = run(
        "with indicator.busy('Signing in', may_ask=True):\n"
        "    print('MFA code: ', end='', flush=True)\n"
        "    time.sleep(0.2)\n"
        "print('in')\n",
        patience=0.01,
    )
    assert written == "  Signing in …\r\nMFA code: in\r\n"


def test_a_terminal_that_cannot_erase_gets_each_line_once() -> None:
    written = run(
        "with console.busy('Generating'):\n    shown('Generating')\n    console.note('one')\n    time.sleep(0.2)\n",
        TERM="dumb",
    )
    assert written == "  Generating …\r\n  one\r\n"


def test_without_another_thread_there_is_no_line() -> None:
    script = "def refuse(thread): raise RuntimeError\nthreading.Thread.start = refuse\n"
    assert run(f"{script}with console.busy('Generating'): time.sleep(0.2)\nprint('done')") == "done\r\n"


def test_an_interruption_of_the_end_leaves_it_usable() -> None:
    written = run(
        "erase = indicator._Indicator._erase\n"
        "def interrupt(one):\n"
        "    indicator._Indicator._erase = erase\n"
        "    raise KeyboardInterrupt\n"
        "try:\n"
        "    with console.busy('Generating'):\n"
        "        shown('Generating')\n"
        "        indicator._Indicator._erase = interrupt\n"
        "except KeyboardInterrupt: console.note('Interrupted')\n"
        "time.sleep(0.2)\n"
        "with console.busy('Cleaning'): shown('Cleaning')\n"
    )
    assert "Traceback" not in written
    assert screen(written) == ["  Interrupted"]


def test_a_job_in_the_background_leaves_the_terminal_to_the_shell(tmp_path: Path) -> None:
    job = tmp_path / "job.py"
    job.write_text(f"{_HEAD}\nindicator._PATIENCE = 0.01\nwith console.busy('Waiting'): time.sleep(1)\n")
    environment = {**os.environ, "PS1": "$ ", "TERM": "xterm"}
    shell = pexpect.spawn("bash", ["--norc", "--noprofile"], env=environment, encoding="utf-8", timeout=60)
    for command, said in ((f"{sys.executable} {job} & wait; echo ended", False), (f"{sys.executable} {job}", True)):
        shell.sendline(f"{command}; echo")
        shell.sendline("echo 'the '\"end\"")
        shell.expect_exact("the end")
        assert ("  Waiting …" in str(shell.before)) is said
    shell.sendline("exit")
    shell.expect(pexpect.EOF)


def test_an_encoding_without_an_ellipsis_gets_dots() -> None:
    written = run("with console.busy('Generating'): shown('Generating')", PYTHONIOENCODING="ascii:strict")
    assert "  Generating ..." in written


def test_nothing_is_said_in_pipes_or_when_quiet(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(indicator, "_PATIENCE", 0)
    with Console().busy("Generating"):
        assert not indicator.active()
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    preferences.be_quiet()
    try:
        with Console().busy("Generating"):
            assert not indicator.active()
    finally:
        preferences.reset()
    assert capsys.readouterr() == ("", "")
