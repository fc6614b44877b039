"""Typing a name before something is destroyed."""

from __future__ import annotations

import os
import sys

import pexpect
import pytest

from scaffold.console.console import Console
from scaffold.console.prompt import confirm_by_name
from scaffold.core.errors import UsageError
from tests.cli.running import ROOT

SCRIPT = """
import sys
from scaffold.cli import app as cli
from scaffold.__main__ import main

def ask(arguments):
    from scaffold.console.console import Console
    from scaffold.console.prompt import confirm_by_name
    print("confirmed" if confirm_by_name("orders", Console()) else "refused")
    return 0

cli.run = ask
sys.exit(main())
"""


@pytest.mark.parametrize(
    ("typed", "shown", "code"),
    [
        ("orders\r", "confirmed", 0),
        ("order\r", "refused", 0),
        ("\r", "refused", 0),
        ("\x03", "nothing was deleted", 130),
        ("\x04", "nothing was deleted", 130),
    ],
)
def test_only_the_name_itself_confirms(typed: str, shown: str, code: int) -> None:
    child = pexpect.spawn(
        sys.executable,
        ["-c", SCRIPT],
        env={**os.environ, "PYTHONPATH": str(ROOT), "PROMPT_TOOLKIT_NO_CPR": "1"},
        encoding="utf-8",
        timeout=90,
    )
    child.expect("Type orders to continue")
    child.send(typed)
    child.expect(shown)
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == code


def test_without_a_terminal_the_error_suggests_yes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin.isatty", lambda: False, raising=False)
    with pytest.raises(UsageError) as raised:
        confirm_by_name("orders", Console())
    assert "--yes" in raised.value.remedy
