"""What `scaffold update` prints as next steps and as remedies works when it is pasted."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from scaffold.core.errors import ScaffoldError
from scaffold.core.git import git
from scaffold.views.update import text
from tests.kits import IDENTITY, commit_all
from tests.update.small import commit, generated, new_service, run_update, status
from tests.update.test_bytes import blob, contents


def sh(command: str, service: Path) -> None:
    subprocess.run(["sh", "-ec", command], cwd=service, env={**os.environ, **IDENTITY}, check=True, capture_output=True)


def test_an_ignored_new_file_is_committed_by_what_is_printed(tmp_path: Path) -> None:
    service = new_service(tmp_path)
    (service / ".gitignore").write_text("new.*\n")
    commit(service)
    result = run_update(service)
    assert result.ignored == ["app/new.txt"]
    assert "  git add --force app/new.txt" in text(result)
    sh("git add --force app/new.txt && git add --all . && git commit -m update", service)
    assert git("ls-files", "app/new.txt", cwd=service) == "app/new.txt"
    assert "never committed" not in text(result)


def below(tmp_path: Path) -> Path:
    """A service in a sub-folder of a repository."""
    top = tmp_path / "mono"
    service = Path(shutil.copytree(generated()[1], top / "services" / "orders", ignore=shutil.ignore_patterns(".git")))
    commit_all(top)
    (top / "other.txt").write_text("not finished\n")
    return service


def test_in_a_larger_repository_only_the_service_is_added(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    service = below(tmp_path)
    result = run_update(service)
    monkeypatch.chdir(service)
    assert "  git add --all . && git commit" in text(result)
    with pytest.raises(ScaffoldError) as refused:
        run_update(service)
    assert "(`git add --all . && git commit`)" in refused.value.remedy
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ScaffoldError) as refused:
        run_update(service)
    command = refused.value.remedy.partition("`")[2].partition("`")[0]
    sh(f"{command} -m update", tmp_path)
    assert status(service) == ["?? other.txt"]


def test_a_repository_of_another_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    service = below(tmp_path)
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    with pytest.raises(ScaffoldError) as refused:
        run_update(service)
    assert f"safe.directory {tmp_path / 'mono'}`, then run the same command again." in refused.value.remedy


@pytest.mark.parametrize(
    ("deleted", "path", "command", "content"),
    [
        (False, "app/picture.bin", "git checkout --theirs app/picture.bin", bytes(range(255, -1, -1)) * 4),
        (True, "app/deleted.txt", "git rm app/deleted.txt", None),
        (True, "app/deleted.txt", "git add app/deleted.txt", b"ours\n"),
    ],
)
def test_a_conflict_without_markers_has_its_command(
    tmp_path: Path, deleted: bool, path: str, command: str, content: bytes | None
) -> None:
    service = new_service(tmp_path)
    (service / path).write_bytes(b"ours\n" if deleted else b"\0ours")
    commit(service)
    result = run_update(service)
    assert f"`{command}`" in text(result)
    sh(f"{command} && git add --all . && git commit -m update", service)
    assert ((service / path).read_bytes() if (service / path).exists() else None) == content


def test_after_a_kill_the_lost_files_come_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file is replaced at once, so that at most one is missing; a deletion is no edit to commit."""
    service = new_service(tmp_path)
    before = contents(service)
    (service / "app" / "changed.txt").unlink()
    monkeypatch.chdir(service)
    with pytest.raises(ScaffoldError) as refused:
        run_update(service)
    found = re.match(r"If app/changed\.txt was not deleted by you, .* run `([^`]+)` first\.", refused.value.remedy)
    assert found
    sh(found[1], service)
    assert contents(service) == before
    run_update(service)
    with pytest.raises(ScaffoldError) as refused:  # a complete update has deleted a file, too
        run_update(service)
    assert "git restore" not in refused.value.remedy


def test_at_most_one_file_is_missing_while_files_are_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    service = new_service(tmp_path)
    names, missing, moves, move = contents(service).keys() - {b"app/deleted.txt"}, [], [], shutil.move

    def watching(source: Path, destination: Path) -> object:
        done = move(source, destination)
        moves.append(Path(destination).name)
        missing.append(len(names - contents(service).keys()))
        return done

    monkeypatch.setattr("scaffold.update.work_tree.shutil.move", watching)
    run_update(service)
    assert max(missing) == 1
    assert moves[-1] == ".copier-answers.yml"


@pytest.mark.parametrize("last", [True, False])
def test_lines_that_are_lost_in_the_answers_file_are_named(
    tmp_path: Path, last: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    service = new_service(tmp_path)
    answers = service / ".copier-answers.yml"
    generated_text = answers.read_text()
    ours = generated_text + "# ours\n" if last else generated_text.replace("_commit:", "# ours\n_commit:")
    answers.write_text(ours)
    commit(service)
    run_update(service)
    kept = "# ours" in answers.read_text()
    assert kept is not (
        ".copier-answers.yml is replaced by the kit's, without your lines: # ours" in capsys.readouterr().err
    )
    assert kept is last


def test_an_encoding_of_the_work_tree(tmp_path: Path) -> None:
    service = new_service(tmp_path)
    (service / ".gitattributes").write_text("app/changed.txt text working-tree-encoding=UTF-16\n")
    path = service / "app" / "changed.txt"
    path.write_bytes(path.read_text().encode("utf-16"))
    commit(service)
    assert b"line 20 of the kit" in blob(service, "HEAD:app/changed.txt")
    result = run_update(service)
    assert result.conflicts == []
    assert "line 20 of version 2" in path.read_bytes().decode("utf-16")


def test_a_filter_that_fails_is_named(tmp_path: Path) -> None:
    service = new_service(tmp_path)
    (service / ".gitattributes").write_text("app/changed.txt filter=secrets\n")
    commit(service)
    git("config", "filter.secrets.clean", "false", cwd=service)
    git("config", "filter.secrets.required", "true", cwd=service)
    before = contents(service)
    with pytest.raises(ScaffoldError, match=r"The filter secrets failed, which \.gitattributes names") as refused:
        run_update(service)
    command = refused.value.remedy.partition("`")[2].partition("`")[0]
    shown = subprocess.run(shlex.split(command), cwd=service, capture_output=True, text=True, check=True).stdout
    assert "filter.secrets.clean false" in shown
    assert contents(service) == before
