"""Runs `scaffold new` inside the test's process, on the kit of the working tree."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from scaffold.commands import new
from scaffold.commands.new import NewOptions, NewResult
from scaffold.console.console import Console
from tests.kits import kit_repository
from tests.update import small


def run_new(
    dest: Path | None, data: dict[str, str] | None = None, *, app_name: str | None = "orders-api", **options: Any
) -> NewResult:
    """Run the command without prompts.

    Args:
        dest: Where the service goes.
        data: Answers.
        app_name: The answer to app_name unless `data` has one; None leaves it out.
        options: Other options of the command, and its console.
    """
    console = options.pop("console", None) or Console()
    given = {**({"app_name": app_name} if app_name else {}), **(data or {})}
    return new.run(NewOptions(dest, given, **{"defaults": True, "kit": str(kit_repository()), **options}), console)


def run_small(dest: Path | None, **options: Any) -> NewResult:
    """Run the command with a kit of a few files, for tests that the files of the kit do not matter to."""
    return run_new(dest, kit=str(small.generated()[0]), **options)


def contents(folder: Path) -> dict[str, bytes]:
    """Every file below a folder, without Git's own, and every empty folder."""
    found = {}
    for path in sorted(folder.rglob("*")):
        relative = path.relative_to(folder)
        if ".git" in relative.parts:
            continue
        if path.is_symlink():
            found[relative.as_posix()] = bytes(path.readlink())
        elif path.is_file():
            found[relative.as_posix()] = path.read_bytes()
        elif not any(path.iterdir()):
            found[f"{relative.as_posix()}/"] = b""
    return found
