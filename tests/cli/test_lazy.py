"""Commands are loaded when they are used, and the list of commands shows the first sentences of their help."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib import import_module

import pytest

from scaffold.cli.app import COMMANDS
from tests.cli.running import ROOT, scaffold


@pytest.mark.parametrize("name", COMMANDS)
def test_the_list_of_commands_has_their_first_sentences(name: str) -> None:
    function = getattr(import_module(f"scaffold.cli.{name}"), name)
    assert function.__doc__.splitlines()[0] == COMMANDS[name]


def test_the_help_lists_every_command(tmp_path_factory: pytest.TempPathFactory) -> None:
    shown = scaffold("--help", cwd=tmp_path_factory.mktemp("empty")).stdout
    for name, sentence in COMMANDS.items():
        assert any(line.split(maxsplit=1) == [name, sentence] for line in shown.splitlines()), name
    assert shown.endswith(f"\n  Documentation: {ROOT / 'README.md'}\n")


@pytest.mark.parametrize(("arguments", "loaded"), [(["--help"], set()), (["deploy", "--help"], {"deploy"})])
def test_only_the_command_in_use_is_imported(arguments: list[str], loaded: set[str]) -> None:
    script = (
        "import json, sys\n"
        "from scaffold.cli.app import run\n"
        f"run({arguments!r})\n"
        "print(json.dumps(sorted(sys.modules)), file=sys.stderr)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True
    )
    modules = json.loads(done.stderr)
    assert {name for name in COMMANDS if f"scaffold.cli.{name}" in modules} == loaded
    assert not [name for name in modules if name.startswith("scaffold.commands")]
