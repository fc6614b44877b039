"""Kits named by `--kit` and $SCAFFOLD_KIT: found and fetched, or refused with a remedy."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from scaffold.core.errors import ScaffoldError, UsageError
from scaffold.core.git import git
from scaffold.kit.rendering import open_kit
from scaffold.kit.source import KitSource, KitUnusable, resolve
from tests.kits import commit_all


@pytest.fixture
def kit(tmp_path: Path) -> Path:
    """A small kit with two releases, a pre-release and a commit after them."""
    folder = tmp_path / "kit"
    folder.mkdir()
    for tag in ("v1.9.0", "v1.10.0", "v2.0.0rc1", None):
        (folder / "copier.yml").write_text(f"app_name: {tag}\n")
        commit_all(folder, str(tag), tag)
    return folder


@contextmanager
def fetched(kit: str | None = None, version: str | None = None) -> Iterator[KitSource]:
    with open_kit(kit, version) as opened:
        yield opened.source


def commit(kit: Path, version: str | None = None) -> str:
    with fetched(str(kit), version) as source:
        return source.commit


def test_the_newest_release_is_taken(kit: Path) -> None:
    with fetched(str(kit)) as source:
        assert (source.source, source.version) == (str(kit), "v1.10.0")
        assert (source.folder / "copier.yml").read_text() == "app_name: v1.10.0\n"
        assert source.commit == git("rev-parse", "v1.10.0", cwd=kit)
        assert source.modes == {"copier.yml": 0o100644}


def test_without_releases_the_newest_commit_is(kit: Path) -> None:
    git("tag", "--delete", "v1.9.0", "v1.10.0", "v2.0.0rc1", cwd=kit)
    assert commit(kit) == git("rev-parse", "HEAD", cwd=kit)


@pytest.mark.parametrize("version", ["v1.9.0", "v2.0.0rc1", "main", "HEAD~3"])
def test_a_version_by_name(kit: Path, version: str) -> None:
    assert commit(kit, version) == git("rev-parse", f"{version}^{{commit}}", cwd=kit)


def test_forms_of_an_address(kit: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bare = tmp_path / "bare.git"
    git("clone", "-q", "--bare", str(kit), str(bare), cwd=tmp_path)
    git("bundle", "create", "-q", str(tmp_path / "kit.bundle"), "--all", "HEAD", cwd=kit)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    expected = {
        "kit": str(kit),
        "./kit/": str(kit),
        "~/kit": "~/kit",
        "~/bare.git": str(bare),
        "bare.git": str(bare),
        "kit.bundle": str(tmp_path / "kit.bundle"),
        f"file://{kit}": f"git+file://{kit}",
        f"git+file://{kit}": f"git+file://{kit}",
    }
    for given, recorded in expected.items():
        with fetched(given) as source:
            assert (source.source, source.version) == (recorded, "v1.10.0"), given
    for variable, given, recorded in [
        ("kit", None, str(kit)),
        ("kit", "bare.git", str(bare)),
        ("", None, "~/.local/share/gitops-scaffold/kit"),
    ]:
        monkeypatch.setenv("SCAFFOLD_KIT", variable)
        with fetched(given) as source:
            assert source.source == recorded


def refused(kit: str | None, version: str | None = None) -> str:
    with pytest.raises(ScaffoldError) as failure, fetched(kit, version):
        pass
    assert failure.value.remedy.endswith(".")
    return failure.value.happened


def test_sources_that_are_no_kit(kit: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert refused("nowhere") == "There is no kit at nowhere."
    (tmp_path / "empty").mkdir()
    assert refused("empty") == "empty is not a kit: it has no copier.yml."
    (tmp_path / "empty" / "copier.yml").write_text("{}\n")
    assert "not a Git repository of its own" in refused("empty")
    (kit / "below").mkdir()
    (kit / "below" / "copier.yml").write_text("{}\n")
    assert "not a Git repository of its own" in refused("kit/below")
    other = tmp_path / "other"
    other.mkdir()
    (other / "README.md").write_text("no kit\n")
    commit_all(other)
    assert refused("other") == f"{other} is not a kit: it has no copier.yml."
    assert "is not a kit" in refused(f"file://{other}")
    (tmp_path / "file").write_text("no bundle\n")
    assert "cannot be accessed" in refused("file")
    assert "cannot be accessed" in refused(f"file://{tmp_path}/nowhere")


def test_versions_that_do_not_exist(kit: Path) -> None:
    message = refused(str(kit), "v9.9.9")
    assert message == f"The kit {kit} has no version v9.9.9."
    assert "v9.9.9" in refused(None, "v9.9.9")
    for version in ("", "--upload-pack=touch x", "a b"):
        with pytest.raises(UsageError), fetched(str(kit), version):
            pass
    for source in ("", "  ", "--help"):
        with pytest.raises(UsageError), fetched(source):
            pass


def test_uncommitted_changes(kit: Path) -> None:
    (kit / "draft.md").write_text("draft\n")
    assert "uncommitted changes (draft.md)" in refused(str(kit))
    assert commit(kit, "v1.9.0") == git("rev-parse", "v1.9.0", cwd=kit)


def test_no_network_and_no_helper(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert "cannot be reached over the network" in refused("http://127.0.0.1:9/kit.git")
    # Git itself, and nothing else, on the PATH.
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "git").symlink_to(shutil.which("git") or "")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setattr("scaffold.kit.source.sysconfig.get_path", lambda _name: str(tmp_path))
    with (
        pytest.raises(KitUnusable, match="without git-remote-codecommit") as failure,
        fetched("git+codecommit::us-east-1://kit"),
    ):
        pass
    assert "pipx install git-remote-codecommit" in failure.value.remedy


def test_the_home_of_an_unknown_user() -> None:
    assert refused("~nobody-of-this-name/kit") == "There is no kit at ~nobody-of-this-name/kit."


def test_the_remote_helper_is_found_without_a_change_of_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    helper = tmp_path / "git-remote-codecommit"
    helper.write_text(f"#!/bin/sh\necho $2 > {tmp_path}/address\nexit 1\n")
    helper.chmod(0o755)
    monkeypatch.setattr("scaffold.kit.source.sysconfig.get_path", lambda _name: str(tmp_path))
    elsewhere = [one for one in os.environ["PATH"].split(os.pathsep) if not (Path(one) / helper.name).exists()]
    monkeypatch.setenv("PATH", os.pathsep.join(elsewhere))
    before = dict(os.environ)
    assert "cannot be accessed" in refused("git+codecommit::us-east-1://kit")
    assert (tmp_path / "address").read_text() == "us-east-1://kit\n"
    assert dict(os.environ) == before


def test_the_clone_is_deleted_at_the_end(kit: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "tmp"))
    with fetched(str(kit)) as source:
        assert [source.folder] == list((tmp_path / "tmp").iterdir())
    refused(str(kit), "v9.9.9")
    with pytest.raises(KeyboardInterrupt), fetched(str(kit)):
        raise KeyboardInterrupt
    assert not list((tmp_path / "tmp").iterdir())


def test_a_kit_of_another_user_is_no_reason_to_run_git_init(kit: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    with pytest.raises(KitUnusable) as caught, fetched(str(kit)):
        pass
    assert "belongs to another user" in caught.value.happened
    assert f"safe.directory {kit}" in caught.value.remedy


@pytest.mark.parametrize(
    "address",
    [
        "https://ann:secret@127.0.0.1/kit.git",
        "git+https://secret@127.0.0.1/kit.git",
        "http://:secret@127.0.0.1/kit.git",
        "git+https://:secret@127.0.0.1/kit",
        "HTTPS://x-access-token:secret@127.0.0.1/kit.git",
        "ssh://ann:secret@127.0.0.1/kit.git",
        "git+ssh://ann:secret@127.0.0.1/kit.git",
    ],
)
def test_an_address_with_credentials_is_refused_before_anything_is_fetched(address: str) -> None:
    message = refused(address)
    assert "credentials" in message
    assert "secret" not in message


@pytest.mark.parametrize(
    "address", ["git@127.0.0.1:team/kit.git", "ssh://git@127.0.0.1/kit.git", "git+codecommit::eu-west-1://ann@kit"]
)
def test_user_names_without_credentials(address: str) -> None:
    assert resolve(address, None).url
