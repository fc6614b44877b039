"""What `scaffold update` refuses, in one sentence with a remedy, before anything is written."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from scaffold.core.errors import ScaffoldError, UsageError
from scaffold.core.git import git
from scaffold.update.work_tree import WorkTree
from tests.kits import IDENTITY
from tests.update.small import commit, generated, new_service, run_update
from tests.update.test_bytes import contents


def drop_git(service: Path) -> None:
    shutil.rmtree(service / ".git")


def drop_commits(service: Path) -> None:
    drop_git(service)
    git("init", "-q", cwd=service)


def merging(service: Path) -> None:
    """A merge that stopped before its commit, without a difference."""
    git("checkout", "-q", "-b", "other", cwd=service)
    git("commit", "-q", "--allow-empty", "-m", "other", cwd=service, env=IDENTITY)
    git("checkout", "-q", "-", cwd=service)
    git("merge", "-q", "--no-commit", "--no-ff", "other", cwd=service, env=IDENTITY)


def rebasing(service: Path) -> None:
    (service / ".git" / "rebase-merge").mkdir()


def ignored(service: Path) -> None:
    (service / ".gitignore").write_text("new.txt\n")
    commit(service)
    (service / "app" / "new.txt").write_text("ours\n")


def outside(service: Path) -> None:
    """The folder of a new file is a link that Git ignores, and leads out of the repository."""
    git("rm", "-r", "-q", "app", cwd=service)
    (service / ".gitignore").write_text("/app\n")
    git("add", ".gitignore", cwd=service)
    git("commit", "-q", "-m", "x", cwd=service, env=IDENTITY)
    (service / "app").symlink_to(service.parent)


def unseen(service: Path) -> None:
    git("config", "status.showUntrackedFiles", "no", cwd=service)
    (service / "app" / "mine.txt").write_text("ours\n")


def assumed(service: Path) -> None:
    git("update-index", "--assume-unchanged", "app/changed.txt", cwd=service)
    (service / "app" / "changed.txt").write_text("ours\n")


def sparse(service: Path) -> None:
    git("sparse-checkout", "set", "infrastructure", cwd=service)


def skipped(service: Path) -> None:
    git("update-index", "--skip-worktree", "app/changed.txt", cwd=service)
    (service / "app" / "changed.txt").write_text("ours\n")


def locked(service: Path) -> None:
    (service / ".git" / "index.lock").touch()


def folder_for_file(service: Path) -> None:
    git("rm", "-q", "app/changed.txt", cwd=service)
    (service / "app" / "new.txt").mkdir()
    (service / "app" / "new.txt" / "ours.txt").write_text("ours\n")
    commit(service)


def answers(change: Callable[[str], str]) -> Callable[[Path], None]:
    def edit(service: Path) -> None:
        path = service / ".copier-answers.yml"
        path.write_text(change(path.read_text()))
        commit(service)

    return edit


def uncommitted_answers(service: Path) -> None:
    git("rm", "-q", "--cached", ".copier-answers.yml", cwd=service)
    (service / ".gitignore").write_text(".copier-answers.yml\n")
    git("add", ".gitignore", cwd=service)
    git("commit", "-q", "-m", "x", cwd=service, env=IDENTITY)


REFUSED: dict[str, tuple[Callable[[Path], object], str, str]] = {
    "no repository": (drop_git, "is in no Git work tree", "git init"),
    "no commit": (drop_commits, "has no commit yet", "git commit"),
    "a change": (lambda it: (it / "README.md").write_text("x"), "uncommitted changes: README.md", "git stash"),
    "a new file": (lambda it: (it / "mine").write_text("x"), "uncommitted changes: mine", "git stash"),
    "a new file that status does not show": (unseen, "uncommitted changes: app/mine.txt", "git stash"),
    "a merge": (merging, "A merge is not finished", "git merge --abort"),
    "a rebase": (rebasing, "A rebase is not finished", "git rebase --abort"),
    "an ignored file in the way": (ignored, "would overwrite app/new.txt", "Move or delete"),
    "a link in the way": (outside, "would overwrite app", "Move or delete"),
    "a file that Git does not compare": (assumed, "assume that app/changed.txt is unchanged", "--no-assume-unchanged"),
    "a file that Git skips": (skipped, "skip app/changed.txt", "--no-skip-worktree"),
    "a locked index": (locked, "index.lock exists", "delete that file"),
    "a sparse checkout": (sparse, "sparse checkout", "git sparse-checkout disable"),
    "a folder where the kit has a file": (folder_for_file, "app/new.txt is a folder on one side", "git mv"),
    "answers that are no YAML": (answers(lambda _: "a: [\n"), "is damaged", "git log"),
    "answers that are no mapping": (answers(lambda _: "- a\n"), "is damaged: it has no answers", "git log"),
    "no recorded kit": (answers(lambda text: text.replace("_src_path", "src")), "record the kit's address", "git log"),
    "no recorded version": (answers(lambda text: text.replace("_commit", "commit")), "the kit's version", "git log"),
    "an unknown recorded version": (
        answers(lambda text: text.replace("v1.0.0", "v1.5.0")),
        "has no version v1.5.0, from which orders-api was generated",
        "Push that tag",
    ),
    "a newer recorded version": (answers(lambda text: text.replace("v1.0.0", "v2.0.0")), "older", ""),
    "a kit of another laptop": (
        answers(lambda text: text.replace(str(generated()[0]), "/home/ann/kit")),
        "generated from the kit /home/ann/kit, which does not exist on this machine",
        "set `_src_path`",
    ),
    "answers that are not committed": (uncommitted_answers, "is not committed", "git add --force"),
}


@pytest.mark.parametrize("situation", [name for name in REFUSED if name != "a newer recorded version"])
def test_it_is_refused_before_anything_is_written(tmp_path: Path, situation: str) -> None:
    prepare, happened, remedy = REFUSED[situation]
    service = new_service(tmp_path)
    prepare(service)
    before = contents(service)
    with pytest.raises(ScaffoldError) as refused:
        run_update(service)
    assert happened in refused.value.happened
    assert remedy in refused.value.remedy
    assert contents(service) == before


def test_a_downgrade(tmp_path: Path) -> None:
    service = new_service(tmp_path)
    REFUSED["a newer recorded version"][0](service)
    with pytest.raises(ScaffoldError, match=r"has version v2\.0\.0 of the kit, which is newer than v1\.0\.0"):
        run_update(service, to="v1.0.0")


@pytest.mark.parametrize(
    ("options", "happened", "remedy"),
    [
        ({"data": {"coulor": "red"}}, "no question 'coulor'", "Did you mean colour?"),
        ({"data": {"colour": "pink"}}, "Invalid answer to colour", "--data colour="),
        ({"data": {"size": "10"}}, "Invalid answer to size: size is at most 9.", "--data size="),
        ({"to": "v3.0.0"}, "has no version v3.0.0", "leave --to out"),
        ({"to": "-x"}, "--to '-x' names no version", "--to v1.2.0"),
    ],
)
def test_a_wrong_option(tmp_path: Path, options: dict[str, object], happened: str, remedy: str) -> None:
    service = new_service(tmp_path)
    before = contents(service)
    with pytest.raises((UsageError, ScaffoldError)) as refused:
        run_update(service, **options)
    assert happened in refused.value.happened
    assert remedy in refused.value.remedy
    assert contents(service) == before


def test_an_old_git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    service = new_service(tmp_path)
    real = shutil.which("git")
    fake = tmp_path / "bin" / "git"
    fake.parent.mkdir()
    fake.write_text(f'#!/bin/sh\n[ "$1" = --version ] && echo "git version 2.37.1" && exit\nexec {real} "$@"\n')
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{fake.parent}{os.pathsep}{os.environ['PATH']}")
    with pytest.raises(ScaffoldError, match=r"Git 2\.37 cannot merge trees") as refused:
        run_update(service)
    assert "2.38" in refused.value.remedy


@pytest.mark.parametrize(
    ("number", "happened"), [(28, "{path} cannot be written: No space"), (13, "{path.parent} cannot be written: Perm")]
)
def test_a_file_that_cannot_be_written_undoes_the_update(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, happened: str
) -> None:
    """The disk is full at the fourth file, or the user may not write its folder, which root always may."""
    service = new_service(tmp_path)
    before, moves, move = contents(service), [], shutil.move

    def failing(source: Path, destination: Path) -> object:
        moves.append(destination)
        if len(moves) == 9:
            raise OSError(number, os.strerror(number), str(destination))
        return move(source, destination)

    monkeypatch.setattr("scaffold.update.work_tree.shutil.move", failing)
    with pytest.raises(ScaffoldError, match="The update is undone") as refused:
        run_update(service)
    assert happened.format(path=Path(moves[8])) in refused.value.happened
    assert len(moves) > 9
    assert contents(service) == before
    assert subprocess.run(["git", "status", "--porcelain"], cwd=service, capture_output=True, check=True).stdout == b""


def test_an_index_that_cannot_be_written_undoes_the_update(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    service = new_service(tmp_path)
    (service / "app" / "changed.txt").write_text("ours\n")
    commit(service)
    before = contents(service)
    replace = WorkTree._replace

    def then_lock(self: WorkTree, undo: list[tuple[Path, Path | None]]) -> None:
        replace(self, undo)
        locked(service)

    monkeypatch.setattr(WorkTree, "_replace", then_lock)
    with pytest.raises(ScaffoldError, match=r"git update-index` failed"):
        run_update(service)
    assert contents(service) == before
