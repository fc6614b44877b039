"""`scaffold update` leaves what `copier update` leaves, wherever that loses nothing."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import copier
import pytest

from scaffold.core.git import git
from tests.update.small import commit, new_service, run_update, status
from tests.update.test_bytes import append, contents, rewrite


def nothing(_: Path) -> None:
    """No edit."""


def several(*edits: Callable[[Path], object]) -> Callable[[Path], object]:
    def edit(service: Path) -> None:
        for one in edits:
            one(service)

    return edit


def delete(name: str) -> Callable[[Path], object]:
    return lambda service: (service / name).unlink()


EDITS: dict[str, Callable[[Path], object]] = {
    "nothing": nothing,
    "lines elsewhere": several(
        rewrite("README.md", lambda text: text.replace(b"line 3 ", b"our line 3 ")),
        append("app/changed.txt", b"ours\n"),
        append("app/unchanged.txt", b"ours\n"),
    ),
    "the same change": rewrite(
        "app/changed.txt", lambda text: text.replace(b"line 20 of the kit", b"line 20 of version 2")
    ),
    "files of our own": several(
        lambda it: (it / "app" / "mine.txt").write_text("ours\n"),
        lambda it: (it / "app" / "link").symlink_to("mine.txt"),
        lambda it: (it / "app" / "run.sh").chmod(0o644),
    ),
    "deleted files": several(delete("app/unchanged.txt"), delete("app/run.sh")),
    "the same new file": lambda it: (it / "app" / "new.txt").write_text("new\n"),
}


@pytest.mark.parametrize(
    "data",
    [
        pytest.param({}, marks=pytest.mark.slow, id="version"),
        pytest.param({"colour": "red", "environments": "dev,qa,prod"}, id="answers"),
    ],
)
@pytest.mark.parametrize(
    "edits",
    [
        pytest.param(list(EDITS), id="all"),
        *(pytest.param([name], id=name, marks=pytest.mark.slow) for name in EDITS),
    ],
)
def test_equal(tmp_path: Path, edits: list[str], data: dict[str, str]) -> None:
    ours = new_service(tmp_path)
    for name in edits:
        EDITS[name](ours)
    commit(ours)
    theirs = Path(shutil.copytree(ours, tmp_path / "theirs" / "service", symlinks=True))

    result = run_update(ours, data=data)
    copier.run_update(theirs, data=data, defaults=True, overwrite=True, quiet=True)

    assert result.exit_code == 0
    assert contents(ours) == contents(theirs)
    assert status(ours) == status(theirs)
    assert git("ls-files", "--stage", cwd=ours) == git("ls-files", "--stage", cwd=theirs)


def test_a_conflict(tmp_path: Path) -> None:
    """The same files, markers and unmerged entries of the index."""
    ours = new_service(tmp_path)
    rewrite("app/changed.txt", lambda text: text.replace(b"line 20 of the kit", b"our line 20"))(ours)
    (ours / "app" / "new.txt").write_text("ours\n")
    commit(ours)
    theirs = Path(shutil.copytree(ours, tmp_path / "theirs" / "service", symlinks=True))

    result = run_update(ours)
    copier.run_update(theirs, data={}, defaults=True, overwrite=True, quiet=True)

    assert contents(ours) == contents(theirs)
    # Copier records an empty base for a file that both sides have added.
    assert status(ours) == [line.replace("UU app/new.txt", "AA app/new.txt") for line in status(theirs)]
    assert git("ls-files", "--unmerged", "app/changed.txt", cwd=ours) == git(
        "ls-files", "--unmerged", "app/changed.txt", cwd=theirs
    )
    assert git("diff", "--name-only", "--diff-filter=U", cwd=ours).splitlines() == ["app/changed.txt", "app/new.txt"]
    assert [(one.path, one.lines) for one in result.conflicts] == [("app/changed.txt", (21,)), ("app/new.txt", (1,))]
    assert (ours / "app" / "changed.txt").read_text().splitlines()[20] == "<<<<<<< before updating"
    assert result.exit_code == 3


def test_a_recorded_answer_that_no_longer_fits_is_kept_by_the_same_rules(tmp_path: Path) -> None:
    """A validator that accepts what is recorded sees it in both."""
    ours = new_service(tmp_path)
    answers = ours / ".copier-answers.yml"
    answers.write_text(answers.read_text().replace("size: 5", "size: 12"))
    commit(ours)
    theirs = Path(shutil.copytree(ours, tmp_path / "theirs" / "service", symlinks=True))

    run_update(ours)

    assert "size: 12\n" in answers.read_text()
    with pytest.raises(ValueError, match="size is at most 9"):  # Copier generates the old version by other rules.
        copier.run_update(theirs, data={}, defaults=True, overwrite=True, quiet=True)
