"""What is printed on stdout and on stderr."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import dataclass
from typing import ClassVar

import pexpect
import pyte
import pytest

from scaffold.console.console import Console, one_line
from scaffold.console.tree import tree
from scaffold.core.results import SCHEMA_VERSION, Result
from scaffold.kit.estimate import read_estimate


@dataclass(frozen=True)
class Sum(Result):
    command: ClassVar[str] = "sum"
    total: int


def sum_text(result: Sum) -> str:
    return f"{result.total} in all"


def test_progress_goes_to_stderr_and_results_to_stdout(capsys: pytest.CaptureFixture[str]) -> None:
    console = Console()
    console.step("made")
    console.note("by the way")
    console.warn("careful")
    assert console.render(Sum(3), sum_text) == 0
    shown = capsys.readouterr()
    assert shown.err == "✓ made\n  by the way\n! careful\n"
    assert shown.out == "3 in all\n"


def test_json_is_the_only_output_on_stdout(capsys: pytest.CaptureFixture[str]) -> None:
    console = Console(json=True)
    console.step("made")
    console.render(Sum(3), lambda _: pytest.fail("text was made"))
    assert json.loads(capsys.readouterr().out) == {"schema_version": SCHEMA_VERSION, "command": "sum", "total": 3}


def test_a_json_console_never_prompts() -> None:
    assert not Console(json=True).interactive


def test_without_a_terminal_each_line_is_printed_once(capsys: pytest.CaptureFixture[str]) -> None:
    with Console().live() as live:
        assert not live.redraws
        live.update(["a 1 s", "b"])
        live.update(["a 2 s", "b"])
    assert capsys.readouterr().err == "a 1 s\nb\na 2 s\n"


def test_on_a_terminal_the_lines_are_redrawn_in_place() -> None:
    """Longer lines are cut, and of more lines than the terminal has the last ones are shown."""
    script = (
        "from scaffold.console.console import Console\n"
        "with Console().live() as live:\n"
        "    live.update(['one', 'x' * 30])\n"
        "    live.update(['1', '2', '3', '[b]4[/b]'])\n"
        "print('after')\n"
    )
    environment = {**os.environ, "TERM": "xterm"}
    child = pexpect.spawn(
        sys.executable, ["-c", script], dimensions=(4, 10), encoding="utf-8", timeout=30, env=environment
    )
    screen = pyte.Screen(10, 4)
    pyte.Stream(screen).feed(child.read())
    assert [line.rstrip() for line in screen.display] == ["3", "[b]4[/b]", "after", ""]


def test_a_message_is_one_line() -> None:
    assert one_line("a\n b\t c\x00") == "a b c\\x00"


def test_a_tree_names_each_folder_once() -> None:
    assert tree(["b/c/d", "a", "b/c/e", "b/f"]) == ["  a", "  b/", "    c/", "      d", "      e", "    f"]


@pytest.mark.parametrize("computed", [{}, {"monthly_costs": None}, {"monthly_costs": {}}])
def test_a_kit_need_not_estimate(computed: dict[str, object]) -> None:
    assert read_estimate(computed) is None


HOSTILE = "name\x1b[2J\x07 of\r something"


@pytest.mark.parametrize("report", ["step", "note", "warn"])
def test_control_characters_are_escaped(report: str, capsys: pytest.CaptureFixture[str]) -> None:
    getattr(Console(), report)(f"{HOSTILE}\n  second line")
    shown = capsys.readouterr().err
    assert r"name\x1b[2J\x07 of\r something" in shown
    assert shown.splitlines()[1] == "  second line"
    assert not set(shown) & set("\x1b\x07\r")


@dataclass(frozen=True)
class Found(Result):
    command: ClassVar[str] = "found"
    address: str
    answers: dict[str, object]
    names: tuple[str, ...]


@pytest.mark.parametrize("as_json", [True, False])
def test_no_result_shows_a_secret(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], as_json: bool
) -> None:
    secret = 'quoted"secret\\of-aws'
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", secret)
    result = Found(f"https://ann:{secret}@a.example", {"list": [secret, 3, None]}, (f"a {secret} b", "plain"))
    Console(json=as_json).render(result, lambda found: f"{found.address} {found.answers['list']} {found.names}")
    shown = capsys.readouterr().out
    assert "secret" not in shown
    assert "plain" in shown
    if as_json:
        document = json.loads(shown)
        assert (document["answers"], document["names"]) == ({"list": ["***", 3, None]}, ["a *** b", "plain"])


@pytest.mark.parametrize(
    ("variables", "coloured"),
    [({}, True), ({"NO_COLOR": "1"}, False), ({"NO_COLOR": ""}, True), ({"TERM": "dumb"}, False)],
)
def test_colour_follows_the_environment(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], variables: dict[str, str], coloured: bool
) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    Console().step("done")
    assert ("\x1b[" in capsys.readouterr().err) is coloured
