"""What reaches the two streams."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass

import pytest

from scaffold.console.console import Console, Live, one_line
from scaffold.console.tree import tree
from scaffold.core.results import Result
from scaffold.kit.estimate import read_estimate


@dataclass(frozen=True)
class Sum(Result):
    total: int

    def text(self) -> str:
        return f"{self.total} in all" if self.total else ""


def test_progress_goes_to_stderr_and_results_to_stdout(capsys: pytest.CaptureFixture[str]) -> None:
    console = Console()
    console.step("made")
    console.note("by the way")
    console.warn("careful")
    console.render(Sum(3))
    shown = capsys.readouterr()
    assert shown.err == "✓ made\n  by the way\n! careful\n"
    assert shown.out == "3 in all\n"


def test_a_quiet_console_still_warns(capsys: pytest.CaptureFixture[str]) -> None:
    console = Console(quiet=True)
    console.step("made")
    console.note("by the way")
    console.warn("careful")
    with console.live() as live:
        live.update(["never seen"])
    assert capsys.readouterr().err == "! careful\n"


def test_json_is_all_that_stdout_gets(capsys: pytest.CaptureFixture[str]) -> None:
    console = Console(json=True)
    console.step("made")
    console.render(Sum(3))
    assert json.loads(capsys.readouterr().out) == {"total": 3}


def test_nothing_to_say_prints_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    Console().render(Sum(0))
    assert capsys.readouterr().out == ""


def test_a_json_console_asks_nobody() -> None:
    assert not Console(json=True).interactive


def test_without_a_terminal_each_line_is_printed_once() -> None:
    stream = io.StringIO()
    live = Live(stream, redraw=False)
    live.update(["a 1 s", "b"])
    live.update(["a 2 s", "b"])
    assert stream.getvalue() == "a 1 s\nb\na 2 s\n"


def test_on_a_terminal_the_block_is_redrawn_in_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "10")
    monkeypatch.setenv("LINES", "3")
    stream = io.StringIO()
    live = Live(stream, redraw=True)
    live.update(["one", "x" * 30])
    live.update(["1", "2", "3", "4"])
    assert stream.getvalue() == f"\x1b[Jone\n{'x' * 9}\n\x1b[2F\x1b[J3\n4\n"


def test_a_message_is_one_line() -> None:
    assert one_line("a\n b\t c\x00") == "a b c\\x00"


def test_a_tree_names_each_folder_once() -> None:
    assert tree(["b/c/d", "a", "b/c/e", "b/f"]) == ["  a", "  b/", "    c/", "      d", "      e", "    f"]


@pytest.mark.parametrize("computed", [{}, {"monthly_costs": None}, {"monthly_costs": {}}])
def test_a_kit_need_not_estimate(computed: dict[str, object]) -> None:
    assert read_estimate(computed) is None


HOSTILE = "name\x1b[2J\x07 of\r something"


@pytest.mark.parametrize("report", ["step", "note", "warn"])
def test_control_characters_are_spelled_out(report: str, capsys: pytest.CaptureFixture[str]) -> None:
    getattr(Console(), report)(f"{HOSTILE}\n  second line")
    shown = capsys.readouterr().err
    assert r"name\x1b[2J\x07 of\r something" in shown
    assert shown.splitlines()[1] == "  second line"
    assert not set(shown) & set("\x1b\x07\r")
