"""What neither the kit nor its tests call is not there."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

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


def uncalled(names: set[str], paths: Iterator[Path]) -> list[str]:
    """The operations whose name is in none of the files, in the style of Python, the API or the AWS CLI."""
    words = {word for path in paths for word in re.findall(r"[A-Za-z][\w-]*", path.read_text(errors="replace"))}
    forms = {name: {name, name.replace("_", "-"), "".join(map(str.title, name.split("_")))} for name in names}
    return sorted(name for name, known in forms.items() if not known & words)


def test_every_operation_is_called() -> None:
    assert uncalled(set(operations()), callers()) == []


def test_an_operation_that_nothing_calls_is_found(tmp_path: Path) -> None:
    (tmp_path / "one").write_text("CreatePipeline(); aws codepipeline get-pipeline-state --x")
    names = {"create_pipeline", "get_pipeline_state", "get_pipeline"}
    assert uncalled(names, tmp_path.iterdir()) == ["get_pipeline"]


def test_operations_are_found() -> None:
    assert {"create_pipeline", "get_branch", "get_approval_rule_template"} <= set(operations())
