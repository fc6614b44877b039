"""Packages import lower packages only, and `--version` and `--help` import nothing heavy."""

from __future__ import annotations

import json
import os
import shutil
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


MODULES = {path.relative_to(PACKAGE).as_posix(): path for path in sorted(PACKAGE.rglob("*.py"))}

# An upward import, a sideways import, one inside local AWS, and one of local AWS by a module that may not import it.
FORBIDDEN = {
    "core/git.py": "from scaffold.commands import deploy",
    "kit/source.py": "from scaffold.aws import session",
    "local/services/codecommit.py": "from scaffold.local.cloudformation import stack_rules",
    "deployment/inventory.py": "from scaffold.local import environment",
}


def check_imports(directory: Path) -> subprocess.CompletedProcess[str]:
    """Check the contracts of pyproject.toml against the package in a directory."""
    command = [sys.executable, "-c", "from importlinter.cli import lint_imports_command; lint_imports_command()"]
    return subprocess.run(
        [*command, "--no-cache"],
        cwd=directory,
        env={**os.environ, "PYTHONPATH": str(directory)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_imports_go_down() -> None:
    done = check_imports(ROOT)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("module", FORBIDDEN)
def test_a_forbidden_import_is_noticed(tmp_path: Path, module: str) -> None:
    shutil.copytree(PACKAGE, tmp_path / "scaffold", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    path = tmp_path / "scaffold" / module
    path.write_text(f"{path.read_text('utf-8')}\n{FORBIDDEN[module]}\n", "utf-8")
    done = check_imports(tmp_path)
    assert done.returncode == 1, done.stderr
    assert "BROKEN" in done.stdout


@pytest.mark.parametrize("module", MODULES)
def test_no_module_is_too_long(module: str) -> None:
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
    # Typer itself imports pydantic as soon as a command's options are read.
    assert not loaded & (HEAVY if arguments in (["--version"], ["--help"]) else HEAVY - {"pydantic"})
    if arguments == ["--version"]:
        assert "typer" not in loaded
