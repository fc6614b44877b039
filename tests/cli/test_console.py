"""What is printed on stdout and on stderr."""

from __future__ import annotations

import io
import json
import os
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import pexpect
import pyte
import pytest
from botocore.exceptions import BotoCoreError

from scaffold.aws.session import Session, new_session
from scaffold.console import preferences
from scaffold.console.console import Console, one_line
from scaffold.console.tree import tree
from scaffold.core.errors import ScaffoldError
from scaffold.core.results import SCHEMA_VERSION, Result
from scaffold.core.target import Endpoint, Target
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


def test_a_tree_names_each_folder_once_with_its_files() -> None:
    lines = tree(["b/c/d", "a", "b/c/e/f", "b/f", "b.c"])
    assert [line.split() for line in lines] == [["a"], ["b/", "3", "files"], ["c/", "2", "files"], ["b.c"]]
    assert lines[2].startswith("    c/ ")


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
    ("variables", "terminal", "coloured"),
    [
        ({}, True, True),
        ({}, False, False),
        ({"NO_COLOR": "1"}, True, False),
        ({"NO_COLOR": ""}, True, True),
        ({"TERM": "dumb"}, True, False),
        ({"FORCE_COLOR": "1"}, False, True),
        ({"FORCE_COLOR": "1", "TERM": "dumb"}, False, True),
        ({"FORCE_COLOR": ""}, False, False),
        ({"FORCE_COLOR": "1", "NO_COLOR": "1"}, True, False),
    ],
)
def test_colour_follows_the_environment(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    variables: dict[str, str],
    terminal: bool,
    coloured: bool,
) -> None:
    for name in ("NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("sys.stderr.isatty", lambda: terminal)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    Console().step("done")
    assert ("\x1b[" in capsys.readouterr().err) is coloured


@pytest.fixture
def chosen() -> Iterator[None]:
    """What a test chooses is forgotten after it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NO_COLOR", "")
        patch.setenv("FORCE_COLOR", "1")
        yield
    preferences.reset()


@pytest.mark.usefixtures("chosen")
def test_a_quiet_console_shows_only_warnings_errors_and_results(capsys: pytest.CaptureFixture[str]) -> None:
    preferences.be_quiet()
    preferences.use_no_color()
    console = Console()
    console.step("made")
    console.note("by the way")
    with console.live() as live:
        live.update(["half way"])
    console.warn("careful")
    console.render_error(ScaffoldError("Broken.", "Mend it."))
    console.render(Sum(3), sum_text)
    shown = capsys.readouterr()
    assert shown.err == "! careful\nError: Broken.\n  Mend it.\n"
    assert shown.out == "3 in all\n"


@pytest.mark.usefixtures("chosen")
def test_a_verbose_command_shows_calls_that_fail_too(capsys: pytest.CaptureFixture[str]) -> None:
    preferences.be_verbose()
    nowhere = Endpoint("http://127.0.0.1:1", "key", "secret", {})
    session = Session("1", "arn", Target("eu-west-1", endpoint=nowhere), new_session(Target("eu-west-1")))
    with pytest.raises(BotoCoreError):
        session.client("sts", attempts=1).get_caller_identity()
    assert re.fullmatch(r"  · sts GetCallerIdentity, \d+\.\d\d s\n", capsys.readouterr().err)


def test_marks_are_plain_where_the_encoding_has_no_others(monkeypatch: pytest.MonkeyPatch) -> None:
    with io.TextIOWrapper(io.BytesIO(), encoding="ascii") as stream:
        monkeypatch.setattr("sys.stderr", stream)
        Console().step("done")
        stream.flush()
        assert stream.buffer.getvalue() == b"+ done\n"  # type: ignore[attr-defined]
