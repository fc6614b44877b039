"""Changes end up in the file that they were made to, whatever either side renames or deletes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from scaffold.core.errors import ScaffoldError
from scaffold.core.git import git
from scaffold.update.merge import Merged
from tests.kits import commit_all
from tests.update.small import commit, new_service, run_update, status
from tests.update.test_bytes import contents
from tests.update.test_properties import update

ANSWERS = {".copier-answers.yml": "_src_path: kit\n_commit: v1\n"}
LINES = [f"line {number}" for number in range(30)]
Files = Mapping[str, str]


def text(*changes: tuple[int, str]) -> str:
    """Thirty lines, of which some are replaced."""
    lines = list(LINES)
    for at, line in changes:
        lines[at] = line
    return "\n".join([*lines, ""])


def write(folder: Path, files: Files) -> Path:
    for name, content in (ANSWERS | dict(files)).items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content)
    return folder


def merge(folder: Path, old: Files, new: Files, ours: Files, *, follows: bool = True) -> tuple[Path, Merged]:
    """The service and its merge, after the index was found to be complete."""
    service = write(folder / "service", ours)
    commit_all(service)
    sides = (write(folder / "old" / "service", old), write(folder / "new" / "service", new))
    (folder / "temporary").mkdir()
    merged = update(service, *sides, folder / "temporary", follows=follows)
    git("fsck", "--no-dangling", cwd=service)
    git("diff", cwd=service)
    return service, merged


def test_a_conflict_in_a_renamed_file_is_in_the_index(tmp_path: Path) -> None:
    """What Git merged into the renamed file is an object that only the merge has."""
    kit = {"a.txt": text((5, "of the kit")), "b.txt": "another file of the kit\n"}
    service, merged = merge(tmp_path, {"a.txt": text()}, kit, {"b.txt": text((25, "ours"))})
    assert merged.unmerged.keys() == {b"b.txt"}
    git("checkout", "--ours", "b.txt", cwd=service)
    assert (service / "b.txt").read_text() == text((5, "of the kit"), (25, "ours"))


def test_both_new_paths_of_a_file_are_conflicts(tmp_path: Path) -> None:
    service, merged = merge(
        tmp_path, {"a.txt": text()}, {"theirs.txt": text((5, "kit"))}, {"ours.txt": text((25, "ours"))}
    )
    assert {name: set(stages) for name, stages in merged.unmerged.items()} == {
        b"a.txt": {1},
        b"ours.txt": {2},
        b"theirs.txt": {3},
    }
    assert status(service) == ["DD a.txt", "AU ours.txt", "UA theirs.txt"]


@pytest.mark.parametrize("follows", [True, False])
def test_an_edit_does_not_move_to_a_file_that_the_kit_renamed_from_another(tmp_path: Path, follows: bool) -> None:
    """The kit deletes `b`, which is edited here, and renames `a`, which is not."""
    old = {"a.txt": text(), "b.txt": text((1, "b"))}
    ours = {"a.txt": text(), "b.txt": text((1, "b"), (25, "mine"))}
    service, merged = merge(tmp_path, old, {"new.txt": text((10, "kit"))}, ours, follows=follows)
    assert (service / "new.txt").read_text() == text((10, "kit"))
    assert "mine" in (service / "b.txt").read_text()
    assert {name: set(stages) for name, stages in merged.unmerged.items()} == {b"b.txt": {1, 2}}


def test_a_change_does_not_move_to_a_file_that_the_owners_renamed_from_another(tmp_path: Path) -> None:
    old = {"a.txt": text(), "b.txt": text((1, "b"))}
    new = {"a.txt": text(), "b.txt": text((1, "b"), (25, "kit"))}
    service, merged = merge(tmp_path, old, new, {"mine.txt": text((10, "mine"))})
    assert (service / "mine.txt").read_text() == text((10, "mine"))
    assert not (service / "b.txt").exists()
    assert merged.not_carried_over == (b"b.txt",)
    assert not merged.unmerged


def test_changes_follow_a_true_rename_on_each_side(tmp_path: Path) -> None:
    old = {"a.txt": text()}
    service, merged = merge(tmp_path / "1", old, {"theirs.txt": text()}, {"a.txt": text((25, "mine"))})
    assert (service / "theirs.txt").read_text() == text((25, "mine"))
    assert not merged.unmerged
    service, merged = merge(tmp_path / "2", old, {"a.txt": text((5, "kit"))}, {"mine.txt": text((25, "mine"))})
    assert (service / "mine.txt").read_text() == text((5, "kit"), (25, "mine"))
    assert not merged.unmerged


def test_a_file_that_the_owners_renamed_and_the_kit_deletes_is_a_conflict(tmp_path: Path) -> None:
    service, merged = merge(tmp_path, {"a.txt": text()}, {}, {"mine.txt": text()})
    assert (service / "mine.txt").read_text() == text()
    assert {name: set(stages) for name, stages in merged.unmerged.items()} == {b"mine.txt": {1, 2}}


@pytest.mark.parametrize("inside", ["", "empty", "a/b"])
def test_a_folder_without_files_in_the_way_is_refused(tmp_path: Path, inside: str) -> None:
    service = new_service(tmp_path)
    folder = service / "app" / "new.txt"
    (folder / inside).mkdir(parents=True)
    before = contents(service)
    with pytest.raises(ScaffoldError, match=r"creates the file app/new\.txt, and there is a folder of that name"):
        run_update(service)
    assert contents(service) == before
    assert (folder / inside).is_dir()


def test_a_folder_is_replaced_only_if_everything_in_it_is_deleted(tmp_path: Path) -> None:
    old, new = {"a/b/c.txt": text()}, {"a": "a file\n"}
    service, _ = merge(tmp_path / "1", old, new, old)
    assert (service / "a").read_text() == "a file\n"
    (tmp_path / "2" / "service" / "a" / "empty").mkdir(parents=True)
    with pytest.raises(ScaffoldError, match="creates the file a, and there is a folder"):
        merge(tmp_path / "2", old, new, old)
    assert (tmp_path / "2" / "service" / "a" / "b" / "c.txt").read_text() == text()


def test_a_folder_that_appears_during_the_update_undoes_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    service = new_service(tmp_path)
    before = contents(service)
    monkeypatch.setattr("scaffold.update.work_tree.check_room", lambda *_: None)
    (service / "app" / "new.txt").mkdir()
    with pytest.raises(ScaffoldError, match="The update is undone"):
        run_update(service)
    assert contents(service) == before
    commit(service)
