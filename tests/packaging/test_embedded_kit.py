"""The embedded kit: the same commits from the same content, unpacked once, after any interruption."""

from __future__ import annotations

import multiprocessing
import shutil
from pathlib import Path

import pytest

import scaffold.kit.embedded as embedded
from scaffold.core.git import git
from scaffold.kit.history import write_bundle, write_history
from tests.kits import ROOT, commit_all, copy_kit


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout of the package: the kit's files, some others, and releases."""
    folder = copy_kit(tmp_path / "checkout")
    (folder / "scaffold").mkdir()
    (folder / "scaffold" / "__init__.py").write_text("")
    (folder / ".gitignore").write_text("node_modules/\nbuild/\n")
    commit_all(folder, "first", tag="v0.1.0")
    (folder / "template" / "NEWS.md").write_text("news\n")
    commit_all(folder, "second", tag="v0.2.0")
    git("tag", "not-a-release", cwd=folder)
    return folder


def history(checkout: Path, version: str, folder: Path) -> tuple[Path, str]:
    return folder, write_history(checkout, version, folder)


@pytest.mark.slow
def test_a_commit_for_each_release_with_the_kit_only(checkout: Path, tmp_path: Path) -> None:
    repository, own = history(checkout, "0.2.0", tmp_path / "history")
    assert git("tag", cwd=repository).split() == ["v0.1.0", "v0.2.0"]
    assert git("rev-parse", "v0.2.0", cwd=repository) == own
    assert git("log", "--format=%s", "v0.2.0", cwd=repository).splitlines() == [
        "gitops-scaffold v0.2.0",
        "gitops-scaffold v0.1.0",
    ]
    top = git("ls-tree", "--name-only", own, cwd=repository).splitlines()
    assert "scaffold" not in top
    assert {".gitattributes", "copier.yml", "cookiecutter.json", "hooks", "includes", "template"} < set(top)
    assert any(name.startswith("{{cookiecutter") for name in top)
    date, author = git("log", "-1", "--format=%ct%n%an <%ae>", own, cwd=repository).splitlines()
    assert date == git("log", "-1", "--format=%ct", cwd=checkout)
    assert author == "gitops-scaffold <kit@gitops-scaffold.invalid>"


@pytest.mark.slow
def test_the_same_commits_on_every_machine(checkout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _, own = history(checkout, "0.2.0", tmp_path / "here")
    elsewhere = tmp_path / "elsewhere"
    git("clone", "-q", str(checkout), str(elsewhere), cwd=tmp_path)
    monkeypatch.setenv("GIT_AUTHOR_NAME", "Somebody")
    monkeypatch.setenv("GIT_COMMITTER_DATE", "2001-01-01T00:00:00Z")
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    monkeypatch.setenv("GIT_DEFAULT_HASH", "sha256")
    assert history(elsewhere, "0.2.0", tmp_path / "there")[1] == own


@pytest.mark.slow
def test_bundles_of_the_same_history_are_the_same_bytes(checkout: Path, tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        write_bundle(checkout, "0.2.0", tmp_path / f"{name}.bundle", tmp_path / name)
    assert (tmp_path / "a.bundle").read_bytes() == (tmp_path / "b.bundle").read_bytes()


@pytest.mark.slow
def test_an_unreleased_version_has_its_tag_and_changes_after_it_a_later_one(checkout: Path, tmp_path: Path) -> None:
    repository, own = history(checkout, "0.3.0", tmp_path / "next")
    assert git("describe", "--tags", own, cwd=repository) == "v0.3.0"
    assert git("rev-parse", f"{own}^", cwd=repository) == git("rev-parse", "v0.2.0", cwd=repository)

    (checkout / "template" / "draft.md").write_text("not committed\n")
    (checkout / "template" / "node_modules").mkdir()
    (checkout / "template" / "node_modules" / "x.js").write_text("ignored\n")
    (checkout / "template" / "NEWS.md").unlink()
    repository, own = history(checkout, "0.2.0", tmp_path / "dirty")
    assert git("describe", "--tags", own, cwd=repository) == "v0.2.0.post1"
    files = git("ls-tree", "-r", "--name-only", own, cwd=repository).splitlines()
    assert "template/draft.md" in files
    assert "template/NEWS.md" not in files
    assert not [name for name in files if "node_modules" in name]
    # The checkout itself is unchanged.
    assert {line[3:] for line in git("status", "--porcelain", cwd=checkout).splitlines()} == {
        "template/draft.md",
        "template/NEWS.md",
    }


@pytest.mark.slow
@pytest.mark.parametrize("state", ["no Git", "no commit"])
def test_sources_without_history(state: str, checkout: Path, tmp_path: Path) -> None:
    shutil.rmtree(checkout / ".git")
    if state == "no commit":
        git("init", "-q", cwd=checkout)
    repository, own = history(checkout, "0.2.0", tmp_path / "history")
    assert git("describe", "--tags", own, cwd=repository) == "v0.2.0"
    assert "template/NEWS.md" in git("ls-tree", "-r", "--name-only", own, cwd=repository)


@pytest.fixture
def package(checkout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The module with that checkout and a home directory of its own; returns the path of the unpacked kit."""
    monkeypatch.setattr(embedded, "_CHECKOUT", checkout)
    monkeypatch.setattr(embedded, "_BUNDLE", tmp_path / "absent.bundle")
    monkeypatch.setattr(embedded, "__version__", "0.2.0")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    return tmp_path / "home" / ".local" / "share" / "gitops-scaffold" / "kit"


def test_unpacked_once_and_then_found_without_git(
    package: Path, checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = embedded.materialise()
    assert first.repository == package
    assert first.version == "v0.2.0"
    assert git("status", "--porcelain", cwd=package) == ""
    monkeypatch.setattr(embedded, "_unpack", pytest.fail)
    assert embedded.materialise() == first


@pytest.mark.slow
def test_a_change_of_the_checkout_is_noticed_and_versions_accumulate(package: Path, checkout: Path) -> None:
    first = embedded.materialise()
    (checkout / "template" / "NEWS.md").write_text("more news\n")
    dirty = embedded.materialise()
    assert dirty.version == "v0.2.0.post1"
    assert (package / "template" / "NEWS.md").read_text() == "more news\n"
    commit_all(checkout, "third")
    committed = embedded.materialise()
    assert len({first.commit, dirty.commit, committed.commit}) in (2, 3)
    for kit in (first, dirty, committed):
        assert git("branch", "--contains", kit.commit, cwd=package)
    git("checkout", "-q", "v0.2.0", cwd=checkout)
    assert embedded.materialise() == first
    assert (package / "template" / "NEWS.md").read_text() == "news\n"


@pytest.mark.slow
def test_a_bundle_and_its_checkout_give_the_same_commit(
    package: Path, checkout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from_checkout = embedded.materialise()
    (tmp_path / "work").mkdir()
    write_bundle(checkout, "0.2.0", tmp_path / "kit.bundle", tmp_path / "work")
    monkeypatch.setattr(embedded, "_CHECKOUT", tmp_path / "site-packages")
    monkeypatch.setattr(embedded, "_BUNDLE", tmp_path / "kit.bundle")
    shutil.rmtree(package)
    assert embedded.materialise() == from_checkout


@pytest.mark.slow
def test_a_moved_tag_is_set_again(package: Path) -> None:
    kit = embedded.materialise()
    git("tag", "--force", "v0.2.0", "v0.1.0", cwd=package)
    assert embedded.materialise() == kit
    assert git("rev-parse", "v0.2.0", cwd=package) == kit.commit


def test_leftovers_of_a_killed_run_are_replaced(package: Path) -> None:
    kit = embedded.materialise()
    for leftover in (".git/index.lock", ".git/refs/tags/v0.2.0.lock"):
        (package / leftover).write_text("")
    half = package.parent / "kit.new-abc"
    half.mkdir()
    shutil.rmtree(package / ".git" / "gitops-scaffold")
    assert embedded.materialise() == kit
    assert not half.exists()
    shutil.rmtree(package / ".git" / "refs")  # not a repository now
    (package / ".git" / "HEAD").unlink()
    assert embedded.materialise() == kit


def _materialise(queue: multiprocessing.Queue[str]) -> None:
    queue.put(embedded.materialise().commit)


@pytest.mark.slow
def test_processes_at_the_same_moment(package: Path) -> None:
    context = multiprocessing.get_context("fork")
    queue: multiprocessing.Queue[str] = context.Queue()
    processes = [context.Process(target=_materialise, args=(queue,)) for _ in range(4)]
    for process in processes:
        process.start()
    commits = {queue.get(timeout=60) for _ in processes}
    for process in processes:
        process.join()
    assert len(commits) == 1
    assert git("status", "--porcelain", cwd=package) == ""


@pytest.mark.slow
def test_an_unwritable_home(package: Path, tmp_path: Path) -> None:
    (tmp_path / "home").write_text("a file, where a folder should be")
    with pytest.raises(embedded.ScaffoldError, match=r"could not be unpacked to ~/\.local/share") as failure:
        embedded.materialise()
    assert "--kit" in failure.value.remedy


@pytest.mark.slow
def test_no_home_at_all(package: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "expanduser", lambda _: (_ for _ in ()).throw(RuntimeError("no home")))
    with pytest.raises(embedded.ScaffoldError, match="your home directory cannot be determined") as failure:
        embedded.materialise()
    assert "Set HOME" in failure.value.remedy


@pytest.mark.slow
def test_global_ignores_do_not_apply(checkout: Path, tmp_path: Path) -> None:
    plain = write_history(checkout, "0.2.0", tmp_path / "plain.git")
    shutil.rmtree(checkout / ".git")
    # Git reads this file without any configuration.
    ignored = Path("~/.config/git/ignore").expanduser()
    ignored.parent.mkdir(parents=True, exist_ok=True)
    ignored.write_text("*.md\n")
    try:
        again = write_history(checkout, "0.2.0", tmp_path / "again.git")
    finally:
        ignored.unlink()
    assert git("rev-parse", f"{again}^{{tree}}", cwd=tmp_path / "again.git") == git(
        "rev-parse", f"{plain}^{{tree}}", cwd=tmp_path / "plain.git"
    )


def test_this_checkouts_own_kit_is_complete() -> None:
    kit = embedded.materialise()
    assert (kit.repository / "copier.yml").read_bytes() == (ROOT / "copier.yml").read_bytes()
    assert not list(kit.repository.rglob("__pycache__"))
