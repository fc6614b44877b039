"""Rendering under interruption, in a folder that others write to, and from a malformed kit."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from scaffold.core.errors import ScaffoldError
from scaffold.core.signals import deferred_signals
from scaffold.kit.destination import workspace
from tests.kits import commit_all, kit_repository
from tests.new.running import run_new


@pytest.mark.parametrize("existed", [True, False])
def test_an_interruption_is_deferred_during_the_last_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, existed: bool
) -> None:
    destination = tmp_path / "orders"
    if existed:
        destination.mkdir()
    rename, moved = Path.rename, []

    def interrupted(path: Path, target: Path) -> Path:
        moved.append(path)
        os.kill(os.getpid(), signal.SIGINT)
        return rename(path, target)

    with pytest.raises(KeyboardInterrupt), workspace(destination) as work:  # noqa: PT012
        work.mkdir()
        for name in ("a", "b", "c"):
            (work / name).touch()
        monkeypatch.setattr(Path, "rename", interrupted)
    assert len(moved) == (3 if existed else 1)
    assert sorted(path.name for path in destination.iterdir()) == ["a", "b", "c"]
    assert [path.name for path in tmp_path.iterdir()] == ["orders"]


def test_files_of_another_process_are_left_alone(tmp_path: Path) -> None:
    with pytest.raises(ScaffoldError, match="is no longer empty"), workspace(tmp_path) as work:  # noqa: PT012
        work.mkdir()
        (work / "README.md").write_text("generated")
        (tmp_path / "README.md").write_text("theirs")
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("README.md", "theirs")]


def test_an_ignored_signal_stays_ignored() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with deferred_signals():
            signal.raise_signal(signal.SIGHUP)
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


def test_git_variables_of_a_hook_do_not_apply(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kit_repository()
    (tmp_path / "file").touch()
    commit_all(tmp_path, tag="v9.9.9")
    monkeypatch.setenv("GIT_DIR", str(tmp_path / ".git"))
    run_new(tmp_path / "a")
    monkeypatch.setenv("GIT_WORK_TREE", str(tmp_path))
    run_new(tmp_path / "b")
    assert os.environ["GIT_DIR"] == str(tmp_path / ".git")
    for name in ("a", "b"):
        assert "_commit: v0.0.1\n" in (tmp_path / name / ".copier-answers.yml").read_text()


@pytest.mark.parametrize(
    ("questions", "template", "words"),
    [
        ("app_name: {type: str, default: orders}", "{% include 'missing.txt' %}", "cannot be rendered: 'missing.txt'"),
        ("app_name: {type: str, default: orders, choices: 5}", "", "choices of the kit's question app_name"),
        ('app_name: "orders\n\tb: [', "", "cannot be read: while scanning"),
    ],
)
def test_a_kits_own_mistakes_are_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], questions: str, template: str, words: str
) -> None:
    kit = tmp_path / "kit"
    kit.mkdir()
    (kit / "copier.yml").write_text(questions)
    (kit / "file.txt.jinja").write_text(template)
    commit_all(kit, tag="v1.0.0")
    with pytest.raises(ScaffoldError) as failure:
        run_new(tmp_path / "orders", {}, kit=str(kit))
    assert words in failure.value.happened
    assert "INVALID CONFIG FILE" not in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["kit"]
