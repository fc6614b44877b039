"""The recorded address of a kit is valid from any folder, and has the recorded commit."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import copier
import pytest
import yaml

from scaffold.core.git import git
from tests.entry_points.entry_points import through_scaffold
from tests.kits import ROOT, commit_all, kit_repository

ANSWERS = {"app_name": "orders-api"}


def recorded(service: Path) -> tuple[str, str]:
    answers = yaml.safe_load((service / ".copier-answers.yml").read_text("utf-8"))
    return answers["_src_path"], answers["_commit"]


def add_an_environment(service: Path) -> None:
    """Plain `copier update`, from within the service."""
    copier.run_update(service, data={"environments": "dev,qa,prod"}, defaults=True, overwrite=True, quiet=True)
    assert (service / "infrastructure" / "qa").is_dir()


@pytest.mark.slow
def test_embedded_kit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    service = through_scaffold(tmp_path / "service", ANSWERS, None)
    source, commit = recorded(service)
    assert source == "~/.local/share/gitops-scaffold/kit"
    assert commit.startswith("v")
    monkeypatch.chdir(service)
    add_an_environment(service)


@pytest.mark.slow
def test_relative_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kit = kit_repository()
    monkeypatch.chdir(kit.parent)
    service = through_scaffold(tmp_path / "service", ANSWERS, Path(os.curdir, kit.name))
    assert recorded(service) == (str(kit), "v0.0.1")
    monkeypatch.chdir(tmp_path)
    add_an_environment(service)


@pytest.mark.slow
def test_relative_folder_with_copier(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kit = kit_repository()
    monkeypatch.chdir(kit.parent)
    service = tmp_path / "service"
    copier.run_copy(os.path.join(os.curdir, kit.name), service, data=ANSWERS, defaults=True, quiet=True)  # noqa: PTH118
    assert recorded(service) == (str(kit.resolve()), "v0.0.1")
    git("init", "-q", "-b", "main", cwd=service)
    commit_all(service)
    monkeypatch.chdir(tmp_path)
    add_an_environment(service)


@pytest.mark.slow
def test_git_url(tmp_path: Path) -> None:
    bare = tmp_path / "git" / "kit"
    bare.parent.mkdir()
    git("clone", "-q", "--bare", str(kit_repository()), str(bare), cwd=tmp_path)
    url = f"file://{bare}"
    service = through_scaffold(tmp_path / "service", ANSWERS, url)  # type: ignore[arg-type]
    assert recorded(service) == (f"git+{url}", "v0.0.1")
    add_an_environment(service)


@pytest.mark.slow
def test_git_url_with_cookiecutter(tmp_path: Path) -> None:
    from cookiecutter.main import cookiecutter

    bare = tmp_path / "git" / "kit"
    bare.parent.mkdir()
    git("clone", "-q", "--bare", str(kit_repository()), str(bare), cwd=tmp_path)
    service = Path(cookiecutter(f"file://{bare}", no_input=True, extra_context=ANSWERS, output_dir=str(tmp_path)))
    assert recorded(service) == (f"git+file://{bare}", "v0.0.1")
    add_an_environment(service)


@pytest.mark.slow
def test_codecommit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A team's kit in CodeCommit: pushed there, generated from there, updated from there."""
    import boto3

    from scaffold.local.environment import local_aws

    def run(*command: str | Path, cwd: Path) -> None:
        done = subprocess.run(
            [sys.executable, "-m", *map(str, command)], cwd=cwd, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr

    with local_aws() as variables:
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("PYTHONPATH", str(ROOT))
        monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
        # The default session may have cached another test's configuration file.
        boto3.Session().client("codecommit").create_repository(repositoryName="team-kit")
        kit = tmp_path / "kit"
        git("clone", "-q", str(kit_repository()), str(kit), cwd=tmp_path)
        address = "codecommit::us-east-1://team-kit"
        git("push", "-q", address, "HEAD:refs/heads/main", "refs/tags/v0.0.1", cwd=kit)

        service = tmp_path / "service"
        run(
            "scaffold",
            "new",
            service,
            "--defaults",
            "--data",
            "app_name=orders-api",
            "--kit",
            f"git+{address}",
            cwd=tmp_path,
        )
        assert recorded(service) == (f"git+{address}", "v0.0.1")

        (kit / "template" / "NEWS.md").write_text("news\n")
        commit_all(kit, tag="v0.0.2")
        git("push", "-q", address, "HEAD:refs/heads/main", "refs/tags/v0.0.2", cwd=kit)
        run("copier", "update", "--defaults", "--quiet", cwd=service)
        assert recorded(service) == (f"git+{address}", "v0.0.2")
        assert (service / "NEWS.md").exists()
