"""The root commit of main identifies a service, whatever a clone shows of its history."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from scaffold.core.errors import ScaffoldError
from scaffold.core.git import git
from scaffold.core.git_failures import GitFailed
from scaffold.service import identity
from scaffold.service.service import Service
from tests.kits import IDENTITY


def of(root: Path) -> Service:
    """The service in a repository, without its files."""
    return Service(root, "shop", "us-east-1", ("dev",), "dev")


def commit(root: Path, message: str) -> str:
    git("-c", "commit.gpgsign=false", "commit", "-q", "--allow-empty", "-m", message, cwd=root, env=IDENTITY)
    return git("rev-parse", "HEAD", cwd=root)


def merge(root: Path, branch: str) -> None:
    git("merge", "-q", "--no-ff", "--allow-unrelated-histories", "-m", "merge", branch, cwd=root, env=IDENTITY)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Three commits on main."""
    root = tmp_path / "service"
    git("init", "-q", "-b", "main", os.fspath(root), cwd=tmp_path)
    for message in ("first", "second", "third"):
        commit(root, message)
    return root


@pytest.fixture
def root(repository: Path) -> str:
    return git("rev-parse", "main~2", cwd=repository)


def unrelated(repository: Path, branch: str = "other") -> None:
    """A branch without a common commit."""
    git("checkout", "-q", "--orphan", branch, cwd=repository)
    commit(repository, branch)
    git("checkout", "-q", "main", cwd=repository)


def merged_histories(repository: Path) -> None:
    for branch in ("other", "another"):
        unrelated(repository, branch)
        merge(repository, branch)
    assert len(git("rev-list", "--max-parents=0", "main", cwd=repository).splitlines()) == 3


def merged_branch(repository: Path) -> None:
    git("checkout", "-q", "-b", "feature", "main~2", cwd=repository)
    commit(repository, "feature")
    git("checkout", "-q", "main", cwd=repository)
    merge(repository, "feature")


def detached(repository: Path) -> None:
    unrelated(repository)
    git("checkout", "-q", "--detach", "other", cwd=repository)


def unrelated_branch(repository: Path) -> None:
    unrelated(repository)
    git("checkout", "-q", "other", cwd=repository)


def branch_without_commit(repository: Path) -> None:
    git("checkout", "-q", "--orphan", "empty", cwd=repository)


def tag_named_main(repository: Path) -> None:
    unrelated(repository)
    git("tag", "main", "other", cwd=repository)


def replaced(repository: Path) -> None:
    unrelated(repository)
    git("replace", "--graft", "main", "other", cwd=repository)


def grafted(repository: Path) -> None:
    head = git("rev-parse", "main", cwd=repository)
    (repository / ".git" / "info").mkdir(exist_ok=True)
    (repository / ".git" / "info" / "grafts").write_text(f"{head}\n")


def without_local_main(repository: Path) -> None:
    git("checkout", "-q", "-b", "develop", cwd=repository)
    git("branch", "-q", "-D", "main", cwd=repository)


def checkout_of_one_commit(repository: Path) -> None:
    git("checkout", "-q", "--detach", cwd=repository)
    git("branch", "-q", "-D", "main", cwd=repository)


def packed(repository: Path) -> None:
    git("commit-graph", "write", "--reachable", cwd=repository)
    git("gc", "-q", cwd=repository)


@pytest.mark.parametrize(
    "change",
    [
        merged_histories,
        merged_branch,
        detached,
        unrelated_branch,
        branch_without_commit,
        tag_named_main,
        replaced,
        grafted,
        without_local_main,
        checkout_of_one_commit,
        packed,
    ],
)
def test_it_is_the_first_commit_of_main(repository: Path, root: str, change: Callable[[Path], None]) -> None:
    change(repository)
    assert identity.root_commit(of(repository)) == root


def test_it_is_the_same_in_clones_worktrees_and_submodules(repository: Path, root: str, tmp_path: Path) -> None:
    git("clone", "-q", os.fspath(repository), "clone", cwd=tmp_path)
    git("clone", "-q", "--bare", os.fspath(repository), "bare.git", cwd=tmp_path)
    git("worktree", "add", "-q", "--detach", os.fspath(tmp_path / "worktree"), cwd=repository)
    outer = tmp_path / "outer"
    git("init", "-q", "-b", "main", os.fspath(outer), cwd=tmp_path)
    commit(outer, "outer")
    git("-c", "protocol.file.allow=always", "submodule", "--quiet", "add", os.fspath(repository), "inner", cwd=outer)
    for place in (tmp_path / "clone", tmp_path / "worktree", outer / "inner"):
        assert identity.root_commit(of(place)) == root
    assert identity.root_commit(of(outer)) != root


def test_main_of_the_remote_decides_in_a_clone_with_another_default_branch(
    repository: Path, root: str, tmp_path: Path
) -> None:
    unrelated_branch(repository)
    git("clone", "-q", os.fspath(repository), "clone", cwd=tmp_path)
    assert git("branch", "--format=%(refname:short)", cwd=tmp_path / "clone") == "other"
    assert identity.root_commit(of(tmp_path / "clone")) == root


def test_another_repository_in_the_environment_is_not_looked_at(
    repository: Path, root: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    git("init", "-q", "-b", "main", "another", cwd=tmp_path)
    commit(tmp_path / "another", "another")
    monkeypatch.setenv("GIT_DIR", os.fspath(tmp_path / "another" / ".git"))
    assert identity.root_commit(of(repository)) == root


def test_a_shallow_clone_is_refused_until_it_is_complete(repository: Path, root: str, tmp_path: Path) -> None:
    git("clone", "-q", "--depth", "2", f"file://{repository}", "clone", cwd=tmp_path)
    with pytest.raises(ScaffoldError, match="This clone is shallow") as refused:
        identity.root_commit(of(tmp_path / "clone"))
    assert "`git fetch --unshallow`" in refused.value.remedy
    git("fetch", "-q", "--unshallow", cwd=tmp_path / "clone")
    assert identity.root_commit(of(tmp_path / "clone")) == root


def test_a_repository_without_a_commit_has_none(tmp_path: Path) -> None:
    git("init", "-q", "-b", "main", cwd=tmp_path)
    with pytest.raises(ScaffoldError, match="no commit yet") as refused:
        identity.root_commit(of(tmp_path))
    assert "git commit" in refused.value.remedy


def amended(repository: Path) -> None:
    git("reset", "-q", "--soft", "main~2", cwd=repository)
    git("commit", "-q", "--allow-empty", "--amend", "-m", "rewritten", cwd=repository, env=IDENTITY)


def squashed_on_a_new_branch(repository: Path) -> None:
    git("checkout", "-q", "--orphan", "new", cwd=repository)
    commit(repository, "everything")
    git("branch", "-q", "-M", "main", cwd=repository)


@pytest.mark.parametrize("rewrite", [amended, squashed_on_a_new_branch])
def test_a_rewritten_history_is_told_from_another_service(
    repository: Path, root: str, tmp_path: Path, rewrite: Callable[[Path], None]
) -> None:
    before = git("rev-parse", "main" if rewrite is squashed_on_a_new_branch else root, cwd=repository)
    rewrite(repository)
    own = identity.root_commit(of(repository))
    assert own != root
    error = identity.another_service(of(repository), "The stack s", own=own, other=root, command="scaffold deploy")
    assert f"git reset --soft {before[:12]}" in error.remedy
    assert "another name" not in error.remedy
    git("reset", "-q", "--soft", before[:12], cwd=repository)
    assert identity.root_commit(of(repository)) == root


@pytest.mark.parametrize(
    ("command", "remedy"), [("scaffold deploy", "another name"), ("scaffold destroy", "`scaffold destroy` in a clone")]
)
def test_fetched_commits_of_another_service_are_no_rewritten_history(
    repository: Path, tmp_path: Path, command: str, remedy: str
) -> None:
    git("init", "-q", "-b", "main", "another", cwd=tmp_path)
    other = commit(tmp_path / "another", "another")
    git("fetch", "-q", os.fspath(tmp_path / "another"), "main", cwd=repository)
    own = identity.root_commit(of(repository))
    error = identity.another_service(of(repository), "The stack s", own=own, other=other, command=command)
    assert own[:12] in error.happened
    assert other[:12] in error.happened
    assert remedy in error.remedy


def test_a_folder_outside_of_git_has_no_root_commit(tmp_path: Path) -> None:
    with pytest.raises(ScaffoldError, match="is not a Git repository"):
        identity.root_commit(of(tmp_path))


def test_the_root_commit_of_a_damaged_main_is_not_taken_from_another_branch(repository: Path) -> None:
    unrelated(repository)
    git("checkout", "-q", "other", cwd=repository)
    lost = git("rev-parse", "main~1", cwd=repository)
    (repository / ".git" / "objects" / lost[:2] / lost[2:]).unlink()
    with pytest.raises(GitFailed):
        identity.root_commit(of(repository))
