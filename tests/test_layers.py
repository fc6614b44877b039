"""Each room of the package imports only rooms below it, and the two quick answers import nothing heavy."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "scaffold"
ARCHITECTURE = ROOT / "docs" / "architecture.md"

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


def imports(path: Path) -> set[str]:
    """The modules of the package that a file imports, anywhere in it and for types too."""
    found: set[str] = set()
    pending: list[ast.AST] = [ast.parse(path.read_text("utf-8"))]
    while pending:
        node = pending.pop()
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            submodules = {f"{node.module}.{alias.name}" for alias in node.names} & MODULES.keys()
            found |= submodules or {node.module}
        pending.extend(ast.iter_child_nodes(node))
    return {name for name in found if name in MODULES and name != "scaffold"}


def drawn_floors() -> dict[str, int]:
    """On which floor docs/architecture.md draws each module; those of local/ stand where local/ stands."""
    rooms, local = (
        {
            name: int(number)
            for number, names in re.findall(r"^floor +([0-9]+)  (.*?)(?:  .*)?$", drawing, re.MULTILINE)
            for name in names.replace("·", "").replace("/", ".").split()
        }
        for drawing in re.findall(r"```\n(floor .*?)```", ARCHITECTURE.read_text("utf-8"), re.DOTALL)
    )
    outside = {f"scaffold.{name}": 10 * number for name, number in rooms.items() if name != "local."}
    return outside | {f"scaffold.local.{name}": 10 * rooms["local."] + number for name, number in local.items()}


FLOORS = drawn_floors()


def test_there_is_something_to_look_at() -> None:
    assert "scaffold.commands.new" in MODULES
    assert "scaffold.rendering" in imports(MODULES["scaffold.commands.new"])


def test_the_drawing_shows_the_modules_that_there_are() -> None:
    packages = {"scaffold", "scaffold.commands", "scaffold.local"}  # empty but for their docstrings
    assert FLOORS.keys() == MODULES.keys() - packages


@pytest.mark.parametrize("module", FLOORS)
def test_imports_go_down(module: str) -> None:
    beside = {imported for imported in imports(MODULES[module]) if FLOORS[imported] >= FLOORS[module]}
    assert not beside, f"{module} imports {sorted(beside)}"


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
