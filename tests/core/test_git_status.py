"""What `git status` says, read from its format for programs."""

from __future__ import annotations

from pathlib import Path

import pytest

from scaffold.core.git import git, settings
from scaffold.core.git_failures import GitFailed
from scaffold.core.git_status import Status, status
from tests.kits import COMMIT, IDENTITY


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    git("init", "-q", "-b", "main", cwd=tmp_path)
    for name in ("kept", "old name"):
        (tmp_path / name).write_text(f"{name}\n" * 9)
    git("add", "-A", cwd=tmp_path)
    git(*COMMIT, "-q", "-m", "one", cwd=tmp_path, env=IDENTITY)
    return tmp_path


def head(folder: Path) -> str:
    return git("rev-parse", "HEAD", cwd=folder)


def test_before_the_first_commit(tmp_path: Path) -> None:
    git("init", "-q", "-b", "main", cwd=tmp_path)
    (tmp_path / "file").touch()
    assert status(tmp_path) == Status(None, "main", ("file",), ())


def test_every_kind_of_change_is_listed_with_its_path(repository: Path) -> None:
    assert status(repository) == Status(head(repository), "main", (), ())
    git("mv", "old name", "new\nname", cwd=repository)
    (repository / "kept").write_text("changed\n")
    (repository / "folder").mkdir()
    (repository / "folder" / "ä file").touch()
    found = status(repository)
    assert sorted(found.changed) == ["folder/ä file", "kept", "new\nname"]
    assert found.unmerged == ()


def test_a_detached_head_and_an_unfinished_merge(repository: Path) -> None:
    for branch in ("feature/one", "two"):
        git("switch", "-q", "-C", branch, "main", cwd=repository)
        (repository / "kept").write_text(branch)
        git(*COMMIT, "-q", "-a", "-m", branch, cwd=repository, env=IDENTITY)
    assert status(repository).branch == "two"
    git("switch", "-q", "--detach", "feature/one", cwd=repository)
    with pytest.raises(GitFailed):
        git("merge", "two", cwd=repository, env=IDENTITY)
    assert status(repository) == Status(head(repository), None, ("kept",), ("kept",))


def test_settings_are_those_that_git_uses(repository: Path) -> None:
    for value in ("one", "two\nlines=3"):
        git("config", "--add", "branch.Main.Remote", value, cwd=repository)
    found = settings(repository)
    assert found["branch.Main.remote"] == git("config", "--get", "branch.Main.remote", cwd=repository) == "two\nlines=3"
