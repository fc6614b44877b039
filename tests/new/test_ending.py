"""How `scaffold new` ends where it is interrupted, killed, or in the folder of another repository."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from scaffold.core.errors import Interrupted, ScaffoldError
from scaffold.core.git import git
from scaffold.core.target import Target
from scaffold.kit.destination import workspace
from scaffold.local.background import Background
from scaffold.views.new import text
from tests.cli.running import COMMAND, ROOT
from tests.kits import kit_repository
from tests.new.running import run_new, run_small


@pytest.mark.parametrize(
    "failure",
    [
        pytest.param(KeyboardInterrupt(), marks=pytest.mark.slow),
        pytest.param(
            Interrupted("Interrupted; AWS continues.", "Run `cd /x && scaffold deploy` to continue from their result."),
            marks=pytest.mark.slow,
        ),
        pytest.param(
            ScaffoldError("The stack failed.", "Fix the cause, then run `scaffold deploy` again."),
            marks=pytest.mark.slow,
        ),
        pytest.param(
            ScaffoldError("A stack is stuck.", "Run `scaffold repair dev`, then `scaffold deploy` again."),
            marks=pytest.mark.slow,
        ),
        ScaffoldError("A stack is half deleted.", "Run `scaffold destroy`, then `scaffold deploy` again."),
        pytest.param(
            ScaffoldError("It failed.", "Continue with `cd FOLDER && scaffold deploy`."), marks=pytest.mark.slow
        ),
    ],
    ids=["KeyboardInterrupt", "Interrupted", "deploy", "repair", "destroy", "folder"],
)
def test_what_failed_on_local_aws_never_advises_a_command_for_an_account(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failure: BaseException
) -> None:
    def deploy(*_: Any, **__: Any) -> None:
        if isinstance(failure, ScaffoldError):
            raise failure.with_remedy(failure.remedy.replace("FOLDER", str(tmp_path / "orders")))
        raise failure

    monkeypatch.setattr("scaffold.deployment.deploy.deploy", deploy)
    with pytest.raises(ScaffoldError) as caught:
        run_new(tmp_path / "orders", local=True)
    remedy = caught.value.remedy
    assert "scaffold local -- scaffold deploy" in remedy
    assert "scaffold local -- scaffold local" not in remedy
    assert not re.search("scaffold (deploy|repair|destroy)", remedy.replace("scaffold local -- scaffold", ""))
    assert caught.value.exit_code == (1 if type(failure) is ScaffoldError else 130)


def test_what_failed_on_the_local_aws_in_the_background_advises_commands_for_that_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def deploy(_service: Any, target: Target, **_: Any) -> None:
        assert (target.local, target.region) == (True, "us-east-1")
        assert target.endpoint
        assert target.endpoint.url == "http://127.0.0.1:1"
        raise ScaffoldError("A stack is stuck.", "Run `scaffold repair dev`, then `scaffold deploy` again.")

    running = Background("127.0.0.1:1", "127.0.0.1:2", "eu-west-1", None, 1, "2026-01-01T00:00:00+00:00", "/state")
    monkeypatch.setattr("scaffold.local.background.find", lambda: running)
    monkeypatch.setattr("scaffold.deployment.deploy.deploy", deploy)
    with pytest.raises(ScaffoldError) as caught:
        run_new(tmp_path / "orders", local=True)
    bare = re.sub(r'eval "\$\(scaffold local env\)" && scaffold', "", caught.value.remedy)
    assert bare.count("repair") == 1
    assert not re.search("scaffold (deploy|repair|destroy)", bare)


# ---- inside another repository ----


@pytest.mark.parametrize(
    "folder",
    [*(pytest.param(one, marks=pytest.mark.slow) for one in ("orders", "services/orders")), "with space/o'rders"],
)
def test_a_service_inside_another_repository_says_how_to_exclude_it(tmp_path: Path, folder: str) -> None:
    outer = tmp_path / "outer"
    git("init", "-q", str(outer), cwd=tmp_path)
    result = run_small(outer / folder)
    assert result.outer_repository == str(outer)
    command = text(result).partition("Exclude it there: ")[2].splitlines()[0]
    assert git("status", "--porcelain", cwd=outer)
    subprocess.run(["sh", "-c", command], check=True, cwd=tmp_path)
    assert git("status", "--porcelain", cwd=outer) == "?? .gitignore"
    assert run_small(outer / folder / "again").outer_repository != str(outer)


@pytest.mark.parametrize("ignored", [True, False])
def test_no_note_where_no_other_repository_is_concerned(tmp_path: Path, ignored: bool) -> None:
    if ignored:
        git("init", "-q", cwd=tmp_path)
        (tmp_path / ".gitignore").write_text("orders/\n")
    result = run_small(tmp_path / "orders")
    assert result.outer_repository is None
    assert "another Git repository" not in text(result)


# ---- an empty clone ----


def empty_clone(folder: Path, branch: str = "main") -> Path:
    """An empty clone of a bare repository beside it, with settings of its own."""
    origin = folder.parent / "origin.git"
    git("init", "-q", "--bare", "-b", branch, str(origin), cwd=folder.parent)
    git("-c", f"init.defaultBranch={branch}", "clone", "-q", str(origin), str(folder), cwd=folder.parent)
    git("config", "user.email", "ann@example.com", cwd=folder)
    return origin


@pytest.mark.parametrize("branch", ["main", pytest.param("trunk", marks=pytest.mark.slow)])
def test_a_service_begins_in_an_empty_clone_whose_remote_stays(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], branch: str
) -> None:
    clone = tmp_path / "it's orders"
    origin = empty_clone(clone, branch)
    result = run_small(clone)
    assert "whose repository and remotes stay" in capsys.readouterr().err
    assert git("status", "--porcelain", "--ignored", cwd=clone) == ""
    assert git("log", "--format=%H %ae", "main", cwd=clone) == f"{result.commit} ann@example.com"
    git("push", "-q", "origin", "HEAD", cwd=clone)
    assert git("rev-parse", "main", cwd=origin) == result.commit
    assert not list(clone.glob(".scaffold-*"))


@pytest.mark.parametrize("failure", [ScaffoldError("It fails.", "Try again."), KeyboardInterrupt()])
@pytest.mark.parametrize("step", ["first_commit", "copy_repository"])
def test_an_empty_clone_stays_as_it_was_where_no_service_is_created(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failure: BaseException, step: str
) -> None:
    def fail(*_: Any) -> None:
        raise failure

    clone = tmp_path / "orders"
    origin = empty_clone(clone)
    monkeypatch.setattr(f"scaffold.commands.new.{step}", fail)
    with pytest.raises((ScaffoldError, Interrupted)) as caught:
        run_small(clone)
    assert "is complete" not in str(caught.value)
    assert [path.name for path in clone.iterdir()] == [".git"]
    assert git("remote", "get-url", "origin", cwd=clone) == str(origin)
    monkeypatch.undo()
    assert run_small(clone).commit


def test_a_clone_that_gets_a_commit_meanwhile_is_kept(tmp_path: Path) -> None:
    clone = tmp_path / "orders"
    empty_clone(clone)

    def write() -> None:
        with workspace(clone) as work:
            work.mkdir()
            (work / "README.md").touch()
            git("-c", "user.name=Ann", "commit", "-q", "--allow-empty", "-m", "first", cwd=clone)

    with pytest.raises(ScaffoldError, match="no longer empty"):
        write()
    assert [path.name for path in clone.iterdir()] == [".git"]
    assert git("log", "--format=%s", cwd=clone) == "first"


@pytest.mark.parametrize("kind", ["worktree", "link", "sha256"])
def test_a_repository_that_cannot_be_a_services_is_only_refused(tmp_path: Path, kind: str) -> None:
    folder, elsewhere = tmp_path / "orders", tmp_path / "elsewhere"
    given = {"worktree": [f"--separate-git-dir={elsewhere}"], "sha256": ["--object-format=sha256"]}.get(kind, [])
    git("init", "-q", *given, str(folder), cwd=tmp_path)
    if kind == "link":
        (folder / ".git").rename(elsewhere)
        (folder / ".git").symlink_to(elsewhere)
    with pytest.raises(ScaffoldError, match="is not empty"):
        run_small(folder)


@pytest.mark.parametrize("content", ["commit", "staged", "branch"])
def test_a_repository_with_anything_in_it_is_only_refused(tmp_path: Path, content: str) -> None:
    folder = tmp_path / "orders"
    git("init", "-q", str(folder), cwd=tmp_path)
    (folder / "file").touch()
    git("add", "file", cwd=folder)
    if content != "staged":
        git("-c", "user.name=Ann", "-c", "user.email=ann@example.com", "commit", "-q", "-m", "first", cwd=folder)
    if content == "branch":
        git("branch", "work", cwd=folder)
        git("symbolic-ref", "HEAD", "refs/heads/unborn", cwd=folder)
        (folder / ".git" / "index").unlink()
    (folder / "file").unlink()
    with pytest.raises(ScaffoldError, match="is not empty") as refused:
        run_small(folder)
    assert "rm -rf" not in refused.value.remedy


def test_a_service_inside_an_empty_clone_says_how_to_take_its_place(tmp_path: Path) -> None:
    outer = tmp_path / "clone"
    git("init", "-q", str(outer), cwd=tmp_path)
    shown = text(run_small(outer / "orders"))
    command = shown.partition("generate the service in its place:\n")[2].splitlines()[0]
    delete = command.partition(" && scaffold new ")[0]
    assert ".git" not in delete  # It has the address of the remote.
    subprocess.run(["sh", "-c", delete], check=True, cwd=tmp_path)
    assert run_small(outer).commit
    (tmp_path / "other").mkdir()
    assert "in its place" not in text(run_small(tmp_path / "other" / "orders"))


# ---- remains ----


KILLED = """
import sys, time
from pathlib import Path
from scaffold.kit.destination import workspace
with workspace(Path(sys.argv[1])) as work:
    (work / "app").mkdir(parents=True)
    print(work.parent, flush=True)
    time.sleep(60)
"""


@contextmanager
def writing(destination: Path) -> Iterator[tuple[subprocess.Popen[str], Path]]:
    """A process that is generating a service, and its hidden folder."""
    with subprocess.Popen(
        [sys.executable, "-c", KILLED, str(destination)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            yield process, Path(process.stdout.readline().strip())
        finally:
            process.kill()


def left_over(destination: Path) -> Path:
    """The hidden folder of a process that was killed."""
    with writing(destination) as (process, hidden):
        process.kill()
        process.wait()
    assert (hidden / destination.name / "app").is_dir()
    return hidden


@pytest.mark.parametrize("existing", [True, False])
def test_remains_of_a_process_that_was_killed_are_deleted(tmp_path: Path, existing: bool) -> None:
    folder = tmp_path / "orders"
    if existing:
        folder.mkdir()
    hidden = left_over(folder)
    result = run_small(folder)
    assert result.commit
    assert not hidden.exists()
    assert git("status", "--porcelain", "--ignored", cwd=folder) == ""


@pytest.mark.parametrize("existing", [True, False])
def test_the_folder_of_a_process_that_runs_is_respected(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, existing: bool
) -> None:
    """Also of a process that this one cannot see: in another container, or on another host with the same folder."""

    def kill(*_: int) -> None:
        raise ProcessLookupError

    folder = tmp_path / "orders"
    if existing:
        folder.mkdir()
    with writing(folder) as (_, hidden), monkeypatch.context() as invisible:
        invisible.setattr(os, "kill", kill)
        if existing:
            with pytest.raises(ScaffoldError, match="is not empty"):
                run_small(folder)
        else:
            run_small(folder)
        assert (hidden / "orders" / "app").is_dir()


def test_without_locks_nothing_is_deleted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on Windows."""
    hidden = left_over(tmp_path / "orders")
    monkeypatch.setattr("scaffold.core.folder_lock.fcntl", None)
    run_small(tmp_path / "orders")
    assert hidden.is_dir()
    assert list(tmp_path.glob(".scaffold-*")) == [hidden]


def test_a_link_with_the_name_of_a_hidden_folder_is_respected(tmp_path: Path) -> None:
    hidden = left_over(tmp_path / "elsewhere" / "orders")
    (tmp_path / hidden.name).symlink_to(hidden)
    run_small(tmp_path / "orders")
    assert (tmp_path / hidden.name / "orders" / "app").is_dir()


def test_a_part_of_a_service_is_reported_as_one(tmp_path: Path) -> None:
    (tmp_path / "orders").mkdir()
    left_over(tmp_path / "orders")
    (tmp_path / "orders" / "app").mkdir()
    with pytest.raises(ScaffoldError, match="has a part of a service"):
        run_new(tmp_path / "orders")


@pytest.mark.parametrize("delay", [0.3, *(pytest.param(n / 10, marks=pytest.mark.slow) for n in range(1, 20))])
def test_an_interruption_and_a_second_one_leave_no_temporary_folder(tmp_path: Path, delay: float) -> None:
    (tmp_path / "tmp").mkdir()
    process = subprocess.Popen(
        [*COMMAND, "new", "orders", "--defaults", "--kit", str(kit_repository())],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(tmp_path / "tmp")},
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    time.sleep(delay)
    for _ in range(2):
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGINT)
            time.sleep(0.02)
    said = process.communicate(timeout=60)[1].decode()
    assert process.returncode in (0, 130, -signal.SIGINT), said
    # Not files: Python tries the folder with one, which an interruption may leave.
    assert [path for path in (tmp_path / "tmp").iterdir() if path.is_dir()] == []
    assert not (tmp_path / "orders").exists() or git("status", "--porcelain", cwd=tmp_path / "orders") == ""


@pytest.mark.parametrize(
    ("known", "said"),
    [
        ((), "user.name and user.email of Git are not set"),
        (("NAME",), "! user.email of Git is not set"),
        (("EMAIL",), "! user.name of Git is not set"),
        (("NAME", "EMAIL"), ""),
    ],
)
def test_a_first_commit_with_a_fallback_author_is_reported(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    known: tuple[str, ...],
    said: str,
) -> None:
    for field in known:
        monkeypatch.setenv(f"GIT_AUTHOR_{field}", "ann@example.com")
    run_small(tmp_path / "orders")
    shown = capsys.readouterr().err
    assert said in shown
    assert ("not set" in shown) is bool(said)
