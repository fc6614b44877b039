"""Each room of the package imports only rooms below it, and the two quick answers import nothing heavy."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "scaffold"

HEAVY = {
    "boto3",
    "botocore",
    "cookiecutter",
    "copier",
    "jinja2",
    "moto",
    "prompt_toolkit",
    "pydantic",
    "questionary",
    "yaml",
}
HEAVY |= {"plumbum", "pygments", "requests", "rich"}


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_name(path): path for path in sorted(PACKAGE.rglob("*.py"))}


def imports(path: Path, *, at_start_only: bool = False) -> set[str]:
    """The modules of the package that a file imports, at its start or anywhere; imports for types only do not count."""
    found: set[str] = set()
    pending: list[ast.AST] = [ast.parse(path.read_text("utf-8"))]
    while pending:
        node = pending.pop()
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            continue
        if at_start_only and isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            submodules = {f"{node.module}.{alias.name}" for alias in node.names} & MODULES.keys()
            found |= submodules or {node.module}
        pending.extend(ast.iter_child_nodes(node))
    return {name for name in found if name in MODULES and name != "scaffold"}


def floor(module: str) -> int:
    """How high up a module lives: 0 for the foundations, 6 for the entry."""
    ground = {"scaffold", "scaffold.errors", "scaffold.results", "scaffold.git"}
    if module in ground or module in {"scaffold.commands", "scaffold.local"}:
        return 0
    if module.startswith("scaffold.commands."):
        return 4
    return {"scaffold.cli": 5, "scaffold.__main__": 6}.get(module, 1)


def test_there_is_something_to_look_at() -> None:
    assert "scaffold.commands.new" in MODULES
    assert "scaffold.rendering" in imports(MODULES["scaffold.commands.new"])


@pytest.mark.parametrize("module", MODULES)
def test_nothing_imports_upwards(module: str) -> None:
    """Commands are imported by the entry, and by a command that goes on to the next; nothing imports the entry."""
    above = {imported for imported in imports(MODULES[module]) if floor(imported) > floor(module)}
    assert not above, f"{module} imports {sorted(above)}"


def test_no_circles() -> None:
    graph = {module: imports(path) for module, path in MODULES.items()}
    settled: set[str] = set()

    def visit(module: str, trail: tuple[str, ...]) -> None:
        assert module not in trail, " → ".join([*trail[trail.index(module) :], module])
        if module not in settled:
            for imported in sorted(graph[module]):
                visit(imported, (*trail, module))
            settled.add(module)

    for module in graph:
        visit(module, ())


def test_local_aws_is_nobody_elses_business() -> None:
    """Only endpoints and credentials tell local AWS from a real account: no module but two commands knows it."""
    users = {
        module
        for module, path in MODULES.items()
        if not module.startswith("scaffold.local")
        and any(imported.startswith("scaffold.local") for imported in imports(path))
    }
    assert users == {"scaffold.commands.local", "scaffold.commands.new"}


@pytest.mark.parametrize("module", [module for module in MODULES if not module.startswith("scaffold.local.")])
def test_modules_stay_readable(module: str) -> None:
    assert len(MODULES[module].read_text("utf-8").splitlines()) <= 300


@pytest.mark.parametrize("arguments", [["--version"], ["--help"], ["new", "--help"], ["deploy", "--help"], []])
def test_quick_answers_import_nothing_heavy(tmp_path: Path, arguments: list[str]) -> None:
    script = (
        "import json, sys\n"
        "from scaffold.__main__ import main\n"
        f"sys.argv = ['scaffold', *{arguments!r}]\n"
        "main()\n"
        "print(json.dumps(sorted(sys.modules)), file=sys.stderr)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True
    )
    loaded = {name.partition(".")[0] for name in json.loads(done.stderr)}
    # Typer itself asks pydantic for help as soon as a command's options are read.
    assert not loaded & (HEAVY if arguments in (["--version"], ["--help"]) else HEAVY - {"pydantic"})
    if arguments == ["--version"]:
        assert "typer" not in loaded
