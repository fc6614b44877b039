"""Each row of docs/rehearsal.md names a test that exists."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ROWS = [line for line in (ROOT / "docs" / "rehearsal.md").read_text("utf-8").splitlines() if line.startswith("| ")]
TESTS = {
    name
    for path in (ROOT / "tests" / "engine").rglob("test_*.py")
    for name in re.findall(r"^(?:async )?def (test_\w+)", path.read_text("utf-8"), re.MULTILINE)
}


@pytest.mark.parametrize("row", [row for row in ROWS if not row.startswith("| behaviour")])
def test_each_behaviour_has_a_source_and_a_test(row: str) -> None:
    _, source, state, tests = (cell.strip() for cell in row.strip("|").split("|"))
    assert source
    assert state.partition(" ")[0] in ("proven", "assumed")
    named = re.findall(r"`(test_\w+)`", tests)
    assert named
    assert set(named) <= TESTS
