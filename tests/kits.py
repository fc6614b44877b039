"""Renders the kit of the working tree with Copier."""

from __future__ import annotations

import atexit
import functools
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

import copier

from scaffold.core.git import git

ROOT = Path(__file__).resolve().parent.parent
KIT_PATHS = (".gitattributes", "copier.yml", "cookiecutter.json", "includes", "hooks", "template")
IDENTITY = {
    f"GIT_{role}_{field}": value
    for role in ("AUTHOR", "COMMITTER")
    for field, value in (("NAME", "kit"), ("EMAIL", "kit@example.com"), ("DATE", "2026-01-01T00:00:00Z"))
}

# Without the question after each commit whether it is time to pack.
COMMIT = ("-c", "commit.gpgsign=false", "-c", "maintenance.auto=false", "commit")

_folder: Path | None = None


def copy_kit(destination: Path) -> Path:
    """Copy the kit's files of this checkout to a directory, without its Git history."""
    destination.mkdir(parents=True, exist_ok=True)
    entries = [ROOT / name for name in KIT_PATHS] + sorted(ROOT.glob("{{*"))
    for entry in entries:
        if entry.is_dir():
            shutil.copytree(
                entry, destination / entry.name, ignore=shutil.ignore_patterns("__pycache__", "node_modules")
            )
        elif entry.exists():
            shutil.copy2(entry, destination / entry.name)
    return destination


def commit_all(repository: Path, message: str = "kit", tag: str | None = None) -> str:
    """Commit all files of a directory, which becomes a repository if it is none, and return the commit."""
    if not (repository / ".git").exists():
        git("init", "-q", "-b", "main", cwd=repository)
    git("add", "-A", cwd=repository)
    git(*COMMIT, "-q", "-m", message, cwd=repository, env=IDENTITY)
    if tag:
        git("-c", "tag.gpgsign=false", "tag", tag, cwd=repository)
    return git("rev-parse", "HEAD", cwd=repository)


def keep_kits_in(folder: Path) -> None:
    """Let `kit_repository` use a folder that pytest deletes, after a killed run too."""
    global _folder
    _folder = folder


@functools.cache
def kit_repository() -> Path:
    """A Git repository of the working tree's kit, tagged v0.0.1; one for each test process."""
    folder = Path(tempfile.mkdtemp(prefix="kit-", dir=_folder))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    repository = copy_kit(folder / "kit")
    commit_all(repository, tag="v0.0.1")
    return repository


def generate(destination: Path, **answers: Any) -> Path:
    """Generate a service with Copier and return its directory.

    Args:
        destination: A directory that does not exist yet.
        answers: Answers that differ from the defaults.
    """
    data = {"app_name": "hello-service", **answers}
    copier.run_copy(os.fspath(kit_repository()), destination, data=data, defaults=True, quiet=True)
    return destination
