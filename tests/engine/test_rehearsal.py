"""docs/rehearsal.md: each behaviour has a test, and each test of the model is a behaviour there."""

from __future__ import annotations

import ast
import re
from pathlib import Path

TESTS = Path(__file__).parent
PAGE = (TESTS.parents[1] / "docs" / "rehearsal.md").read_text("utf-8")
ROWS = [line for line in PAGE.splitlines() if line.startswith("| ") and not line.startswith("| behaviour")]


def names(folder: Path) -> set[str]:
    trees = [ast.parse(path.read_text("utf-8")) for path in folder.rglob("test_*.py")]
    functions = [node for tree in trees for node in tree.body if isinstance(node, ast.FunctionDef)]
    return {function.name for function in functions if function.name.startswith("test_")}


def named(row: str) -> list[str]:
    return re.findall(r"`(test_\w+)`", row.split("|")[-2])


def test_each_behaviour_has_a_test() -> None:
    existing = names(TESTS)
    for row in ROWS:
        assert named(row), row
        assert set(named(row)) <= existing, row


def test_each_test_of_the_model_is_a_documented_behaviour() -> None:
    assert names(TESTS / "pipeline") <= {name for row in ROWS for name in named(row)}
