"""What the screen shows at the prompts of `scaffold new` on a terminal of 80 by 24."""

from __future__ import annotations

import os
import re
import shlex
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pexpect
import pyte
import pytest
import yaml

from scaffold.local.credentials import ACCESS_KEY, SECRET_KEY
from scaffold.local.environment import running_local_aws
from tests.cli.running import become_scaffold, forked_scaffold
from tests.kits import ROOT, kit_repository
from tests.new.test_prompts import ANSWERED

COLUMNS, LINES = 80, 24
ENTER, DOWN, BACK, CTRL_C = "\r", "\x1b[B", "\x1b[Z", "\x03"
DEFAULT_QUESTIONS = 9
# Those after Service, Tasks and Releases.
TOPICS = [group["title"] for group in yaml.safe_load((ROOT / "includes/groups.yml").read_text("utf-8"))][3:]


class Terminal:
    """A terminal of 80 by 24 on which `scaffold new` runs."""

    def __init__(self, folder: Path, *arguments: str, **variables: str) -> None:
        self.screen = pyte.Screen(COLUMNS, LINES)
        self._stream = pyte.Stream(self.screen)
        command = ["new", "--kit", str(kit_repository()), "--no-deploy", *arguments]
        environment = {**os.environ, "PROMPT_TOOLKIT_NO_CPR": "1", **variables}

        def run() -> None:
            os.closerange(3, 256)
            become_scaffold(command, folder, environment)

        self.child = pexpect.spawn(
            sys.executable, preexec_fn=run, encoding="utf-8", dimensions=(LINES, COLUMNS), timeout=90
        )

    def see(self, *texts: str) -> list[str]:
        """Read until the screen shows texts, the last of them near its cursor, and return its lines."""
        deadline = time.monotonic() + 90
        while time.monotonic() < deadline:
            try:
                self._stream.feed(self.child.read_nonblocking(4096, timeout=0.1))
            except pexpect.TIMEOUT:
                lines = [line.rstrip() for line in self.screen.display]
                below = "\n".join(lines[max(0, self.screen.cursor.y - 3) :])
                if texts[-1] in below and all(text in "\n".join(lines) for text in texts):
                    return lines
        raise AssertionError((texts, *self.screen.display))

    def end(self) -> str:
        """Read until the program has ended, and return what the screen shows, without line ends."""
        while True:
            try:
                self._stream.feed(self.child.read_nonblocking(4096, timeout=90))
            except pexpect.EOF:
                return "".join(self.screen.display)

    def type(self, *keys: str) -> None:
        """Press keys."""
        for key in keys:
            self.child.send(key)


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Callable[..., Terminal]]:
    started: list[Terminal] = []

    def start(*arguments: str, **variables: str) -> Terminal:
        started.append(Terminal(tmp_path, *arguments, **variables))
        return started[-1]

    yield start
    for one in started:
        one.child.close(force=True)


def test_the_default_path_fits_the_screen(terminal: Callable[..., Terminal], tmp_path: Path) -> None:
    deep = "/".join(["a-folder-with-a-long-name"] * 3 + ["payments"])
    shown = terminal(deep)
    lines = shown.see("[brackets]", "Shift-Tab or Esc goes back", "Ctrl-C", "[payments]")
    assert lines[0].startswith("A few questions, then a summary; only Enter there writes the service.")
    for number in range(1, DEFAULT_QUESTIONS + 1):
        lines = shown.see(f"{number} of {DEFAULT_QUESTIONS} ·")
        if number == 5:  # The highlighted line is what Enter chooses, with its meaning.
            assert "  Description: a quarter of a vCPU; from 9.01 USD a month for each task" in lines
            assert any(line.startswith(" » 256") for line in lines)
            assert not any(cell.reverse for row in range(LINES) for cell in shown.screen.buffer[row].values())
        shown.type(ENTER)
    lines = shown.see("Enter writes the service")
    text = "\n".join(lines)
    for said in (
        f"Folder   {tmp_path}/{deep}"[: COLUMNS - 3] + "\n  Account  not signed in; region us-east-1",
        "Kit      ",
        "Costs    about ",
        "app_name",
    ):
        assert said in text
    assert "9  customize" in text


@pytest.mark.slow
@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ((), "Account  000000000000; region eu-west-1"),
        (("--data", "aws_account_id=000000000000"), "Account  000000000000; region eu-west-1"),
        (("--data", "aws_account_id=123456789012"), "Account  123456789012, the only one (000000000000 now)"),
    ],
)
def test_the_summary_has_the_account_of_the_credentials(
    terminal: Callable[..., Terminal], answer: tuple[str, ...], said: str
) -> None:
    with running_local_aws() as aws:
        reach = {"AWS_ENDPOINT_URL": aws.variables["AWS_ENDPOINT_URL"], "AWS_REGION": "eu-west-1"}
        keys = {"AWS_ACCESS_KEY_ID": ACCESS_KEY, "AWS_SECRET_ACCESS_KEY": SECRET_KEY}
        shown = terminal("payments", *answer, **reach, **keys)
        for number in range(1, DEFAULT_QUESTIONS + 1):
            shown.see(f"? {number} of {DEFAULT_QUESTIONS} ·")
            shown.type(ENTER)
        assert said in "\n".join(shown.see("Enter writes the service"))


@pytest.mark.slow
def test_no_word_is_broken_at_the_edge_of_the_screen(terminal: Callable[..., Terminal]) -> None:
    shown = terminal()
    for number in range(1, DEFAULT_QUESTIONS + 1):
        lines = shown.see(f"{number} of {DEFAULT_QUESTIONS} ·")
        assert not [line for line in lines if len(line) == COLUMNS]
        shown.type("?" if number < 5 else "")
        shown.type("orders" if number == 1 else "", ENTER)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_every_question_of_every_topic_goes_back_and_ends(terminal: Callable[..., Terminal], tmp_path: Path) -> None:
    """Through all topics, back from each question to the one before, then Ctrl-C, after which nothing is written."""
    shown = terminal("orders", XDG_STATE_HOME=str(tmp_path / "state"))
    for number in range(1, DEFAULT_QUESTIONS):
        shown.see(f"{number} of {DEFAULT_QUESTIONS} ·")
        shown.type(ENTER)
    shown.see("9 of 9 ·")
    shown.type("a", ENTER)  # all topics
    number = DEFAULT_QUESTIONS + 1
    while number < 60:
        lines = shown.see(f"{number} of ")
        total = int(next(line for line in lines if f"{number} of " in line).split(" of ")[1].split()[0])
        shown.type(BACK)
        shown.see(f"{number - 1} of ", f"? {number - 1} of")
        shown.type(ENTER)
        shown.see(f"? {number} of")
        if number == total:
            break
        shown.type(ENTER)
        number += 1
    assert number > 30
    shown.type(CTRL_C)
    assert "your answers are kept" in shown.end()
    assert not (tmp_path / "orders").exists()


@pytest.mark.slow
@pytest.mark.parametrize("number", range(1, DEFAULT_QUESTIONS + 1))
def test_ctrl_c_at_each_question_keeps_the_answers(
    terminal: Callable[..., Terminal], tmp_path: Path, number: int
) -> None:
    shown = terminal("orders", XDG_STATE_HOME=str(tmp_path / "state"))
    for before in range(1, number):
        shown.see(f"? {before} of {DEFAULT_QUESTIONS} ·")
        shown.type(ENTER)
    shown.see(f"? {number} of {DEFAULT_QUESTIONS} ·")
    shown.type(CTRL_C)
    assert "Interrupted: nothing was written" in shown.end()
    kept = list((tmp_path / "state").rglob("*.yml"))
    assert len(kept) == (number > 1)
    assert not (tmp_path / "orders").exists()


@pytest.mark.slow
@pytest.mark.parametrize("number", range(len(TOPICS)), ids=TOPICS)
def test_ctrl_c_in_each_topic_keeps_the_answers(terminal: Callable[..., Terminal], tmp_path: Path, number: int) -> None:
    given = [word for answer in ANSWERED for word in ("--data", answer)]
    shown = terminal("orders", *given, XDG_STATE_HOME=str(tmp_path / "state"))
    shown.see("? 1 of 1 ·", TOPICS[number])
    shown.type(*[DOWN] * number, " ", ENTER)
    shown.see("? 2 of")
    if "? 2 of 2 ·" not in "\n".join(shown.screen.display):
        shown.type(ENTER)
        shown.see("? 3 of")
    shown.type(CTRL_C)
    said = shown.end()
    assert "nothing was written, and your answers are kept" in " ".join(said.split())
    shown.child.close()
    assert shown.child.exitstatus == 130
    (kept,) = (tmp_path / "state").rglob("*.yml")
    answers = yaml.safe_load(kept.read_text())
    assert answers.items() >= {"app_name": "orders", "scan_gate": "high"}.items()
    assert "customize" not in answers
    (command,) = re.findall("Go on with `scaffold (new .*?)`", said)
    assert f"--answers {kept} " in command
    again = forked_scaffold(*shlex.split(command), "--dry-run", "--defaults", cwd=tmp_path)
    assert again.returncode == 0, again.stderr
    assert not (tmp_path / "orders").exists()


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_ctrl_c_in_the_summary_and_at_a_change_keeps_the_answers(
    terminal: Callable[..., Terminal], tmp_path: Path
) -> None:
    for name, keys in (("summary", ()), ("change", ("5", ENTER)), ("topic", ("9", ENTER))):
        state = tmp_path / name
        shown = terminal(f"{name}-api", XDG_STATE_HOME=str(state))
        for number in range(1, DEFAULT_QUESTIONS + 1):
            shown.see(f"? {number} of {DEFAULT_QUESTIONS} ·")
            shown.type(ENTER)
        shown.see("Enter writes the service")
        for key in keys:
            shown.type(key)
        if keys:
            shown.see("· CPU units" if name == "change" else "· Answer more")
        shown.type(CTRL_C)
        assert "your answers are kept" in shown.end()
        (kept,) = state.rglob("*.yml")
        assert f"app_name: {name}-api" in kept.read_text()
        assert not (tmp_path / f"{name}-api").exists()


def test_a_dumb_terminal_without_colour_is_asked_too(terminal: Callable[..., Terminal]) -> None:
    shown = terminal("orders", "--no-color", TERM="dumb", LC_ALL="C")
    shown.see("1 of 9")
    shown.type(ENTER)
    shown.see("2 of 9")
