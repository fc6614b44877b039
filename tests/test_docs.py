"""What is documented exists, and what exists is documented."""

from __future__ import annotations

import html
import re
import subprocess
import sys
from pathlib import Path

import pytest
import typer
import yaml

from scaffold.cli.app import app
from tools import questions_table, recording

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text("utf-8")
COMMANDS = typer.main.get_command(app).commands  # type: ignore[attr-defined]
GROUPS = ("env", "local", "secret")
SUBCOMMANDS = {f"{group} {name}": command for group in GROUPS for name, command in COMMANDS[group].commands.items()}


def documents() -> list[Path]:
    found = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
    return [path for path in found if path.exists()]


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_in_the_readme(name: str) -> None:
    assert f"scaffold {name}" in README


@pytest.mark.parametrize("name", [*COMMANDS, *SUBCOMMANDS])
def test_every_command_and_option_has_help(name: str) -> None:
    command = {**COMMANDS, **SUBCOMMANDS}[name]
    assert command.help
    assert command.help.splitlines()[0].endswith(".")
    for parameter in command.params:
        if parameter.name != "help":
            assert parameter.help, f"{name} {parameter.name}"


@pytest.mark.parametrize("path", documents(), ids=lambda path: path.name)
def test_every_documented_command_and_option_exists(path: Path) -> None:
    for block in re.findall(r"`([^`\n]+)`|^```\w*\n(.*?)^```", path.read_text("utf-8"), re.MULTILINE | re.DOTALL):
        for line in "\n".join(block).splitlines():
            for found in re.finditer(r"(?:^|[\s;&|(])scaffold +([a-z]+)([^\n;&|`]*)", line):
                name, arguments = found.groups()
                assert name in COMMANDS, f"{path.name}: {line}"
                word = arguments.split()[0] if arguments.split() else ""
                assert name not in GROUPS or not word.isalpha() or f"{name} {word}" in SUBCOMMANDS, line
                command = SUBCOMMANDS.get(f"{name} {word}", COMMANDS[name])
                known = {
                    option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)
                }
                used = set(re.findall(r"(?<!\S)(--[a-z-]+)", arguments.split(" -- ")[0]))
                assert used <= known | {"--help"}, f"{path.name}: {line}"


def test_the_table_of_questions_is_in_step_with_copier_yml() -> None:
    assert questions_table.with_table(README) == README, "run `make docs`"


def test_the_table_names_every_question() -> None:
    entries = yaml.safe_load((ROOT / "copier.yml").read_text("utf-8"))
    asked = [name for name, details in entries.items() if not name.startswith("_") and details.get("when") is not False]
    table = questions_table.table()
    assert [name for name in asked if f"| `{name}` |" not in table] == []


def test_the_checker_notices_a_stale_table(tmp_path: Path) -> None:
    assert questions_table.with_table(
        README.replace("| `app_name` |", "| `name_of_app` |")
    ) == questions_table.with_table(README)
    with pytest.raises(SystemExit):
        questions_table.with_table("no marks")


@pytest.mark.slow
def test_the_generator_runs_by_itself() -> None:
    done = subprocess.run(
        [sys.executable, "tools/questions_table.py", "--check"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_links_between_documents_lead_somewhere() -> None:
    for path in documents():
        for target in re.findall(r"\]\((?!https?:|#|mailto:)([^)#\s]+)", path.read_text("utf-8")):
            assert (path.parent / target).exists(), f"{path.name} → {target}"


def test_the_picture_of_a_terminal_shows_commands_that_exist_and_loads_nothing() -> None:
    picture = html.unescape((ROOT / "docs" / "first-minutes.svg").read_text("utf-8")).replace("\xa0", " ")
    assert "docs/first-minutes.svg" in README
    assert "url(http" not in picture
    for command in recording.SESSION:
        assert f"$ {command}" in picture, "run `make picture`"
        assert command.split()[1] in COMMANDS
    assert "Generated payments" in picture
