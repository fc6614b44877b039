"""What neither the kit nor its tests call is not there."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.local.conftest import ROOT

SERVICES = ROOT / "scaffold" / "local" / "services"


def operations() -> Iterator[str]:
    """Each operation of the APIs that local AWS has besides ministack's."""
    for path in sorted(SERVICES.glob("*.py")):
        functions = (node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.FunctionDef))
        for one in functions:
            signature = f"({ast.unparse(one.args)}) -> {ast.unparse(one.returns) if one.returns else ''}"
            if signature == "(self, call: Call) -> Document" and not one.name.startswith("_"):
                yield one.name


def callers() -> Iterator[Path]:
    """The files of the kit, of the command line and of the tests that are not local AWS's own."""
    own = (SERVICES, ROOT / "tests" / "local")
    for folder in ("scaffold", "template", "tests"):
        for path in (ROOT / folder).rglob("*"):
            if path.is_file() and path.suffix != ".pyc" and not any(path.is_relative_to(one) for one in own):
                yield path


TEXTS = [path.read_text(errors="replace") for path in callers()]


@pytest.mark.parametrize("operation", sorted(set(operations())))
def test_every_operation_is_called(operation: str) -> None:
    camel = "".join(word.title() for word in operation.split("_"))
    forms = re.compile(rf"\b(?:{operation}|{camel}|{operation.replace('_', '-')})\b")
    assert any(forms.search(text) for text in TEXTS)


def test_operations_are_found() -> None:
    assert {"create_pipeline", "get_branch", "get_approval_rule_template"} <= set(operations())
