"""The choice of a container engine."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

from scaffold.core.errors import ScaffoldError
from scaffold.engine.containers.choice import AUTOMATIC, NONE, PODMAN, Choice, find
from scaffold.engine.containers.container_engine import NoEngine
from scaffold.engine.containers.podman import Podman
from scaffold.local.environment import running_local_aws


def test_without_podman_there_is_no_container_engine(tmp_path: Path) -> None:
    without = find(AUTOMATIC, tmp_path / "a", str(tmp_path), {})
    assert without == Choice(None, "docker is not installed; podman is not installed")
    assert find(NONE, tmp_path / "a", str(tmp_path), {}).engine is None
    with pytest.raises(NoEngine, match="podman is not installed"):
        find(PODMAN, tmp_path / "a", str(tmp_path), {})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("fails", ["info", "create", "init"])
def test_a_podman_that_does_not_work_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fails: str) -> None:
    """`init` fails where podman's runtime does not know the control groups of the machine."""
    monkeypatch.setattr("os.geteuid", lambda: 0)
    podman = f"case $1 in {fails}) echo 'Error: broken' >&2; exit 125 ;; info) echo amd64 ;; esac"
    unshare = 'while case $1 in -*) ;; *) false ;; esac; do shift; done; test $1 = true || exec "$@"'
    for name, text in {"podman": podman, "runc": "", "unshare": unshare}.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{text}\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find(AUTOMATIC, tmp_path / "a", str(tmp_path), {}).engine is None
    with pytest.raises(NoEngine, match="broken" if sys.platform == "linux" else "Linux only"):
        find(PODMAN, tmp_path / "a", str(tmp_path), {})
    assert not (tmp_path / "a").exists()


@pytest.mark.slow
def test_local_aws_does_not_start_without_the_required_engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "git").symlink_to(shutil.which("git") or "")
    monkeypatch.setenv("PATH", str(tmp_path))
    with (
        pytest.raises(ScaffoldError, match="podman is not installed") as refused,
        running_local_aws(runs=True, containers="podman"),
    ):
        pass
    assert "SCAFFOLD_CONTAINER_ENGINE=none" in refused.value.remedy


def test_passwords_of_proxies_are_not_in_arguments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    proxies = {"HTTP_PROXY": "http://user:password@127.0.0.1:9"}
    made = Podman("podman", tmp_path, proxies=proxies).container("task", 5)
    commands = made.enter + made.prepare + made.start + made.stop + made.remove + made.inside
    assert not [word for word in commands if "password" in word]
    assert made.variables["HTTP_PROXY"] == proxies["HTTP_PROXY"]
