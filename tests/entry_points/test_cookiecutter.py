"""What only the cookiecutter entry point has: folders made too early, missing tools, hooks that run again."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml
from cookiecutter.prompt import render_variable
from cookiecutter.utils import create_env_with_context

from scaffold.core.git import git
from tests.kits import ROOT, commit_all, copy_kit, kit_repository

HOSTILE = [
    "",
    "a" * 200,
    "Orders",
    "orders api",
    "../orders",
    "a/b",
    "/tmp/x",
    "$(touch x)",
    "it's",
    'say"',
    "a\nb",
    "\U0001f600abc",
]
HOSTILE += [
    "7orders",
    "-orders",
    "orders-",
    ".",
    "..",
    "a--b",
    "default",
    "{{ 7 * 7 }}",
    "%APPDATA%",
    "a\\b",
    "ab",
    "orders\x00",
]


def load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def entry() -> ModuleType:
    return load(ROOT / "hooks" / "entry.py")


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return json.loads((ROOT / "cookiecutter.json").read_text("utf-8"))


def cookiecutter(folder: Path, kit: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "cookiecutter", kit, *arguments]
    return subprocess.run(
        command, cwd=folder, env={**os.environ, **environment}, capture_output=True, text=True, check=False
    )


def test_generated_files_are_up_to_date() -> None:
    generated = load(ROOT / "tools" / "cookiecutter_files.py").files()
    assert {path: (ROOT / path).read_text("utf-8") for path in generated} == generated, "run `make docs`"


@pytest.mark.parametrize("name", HOSTILE)
def test_folder_has_a_safe_name(name: str, document: dict[str, Any]) -> None:
    answers = {"app_name": name}
    environment = create_env_with_context({"cookiecutter": {}})
    folder = render_variable(environment, document["__directory"], answers)
    assert folder == "invalid-app-name" or folder == name
    assert set(folder) <= set("abcdefghijklmnopqrstuvwxyz0123456789-")
    assert 0 < len(folder) <= 24
    assert folder[0].isalpha()


def test_memory_follows_cpu(document: dict[str, Any]) -> None:
    environment = create_env_with_context({"cookiecutter": {}})
    assert [render_variable(environment, document["memory"], {"cpu": cpu}) for cpu in ("256", "1024")] == [
        "512",
        "2048",
    ]


@pytest.mark.parametrize(
    "name",
    [
        "../orders",
        *(pytest.param(name, marks=pytest.mark.slow) for name in HOSTILE if name != "../orders" and "\x00" not in name),
    ],
)
def test_hostile_names_leave_nothing(name: str, tmp_path: Path) -> None:
    (tmp_path / "work").mkdir()
    done = cookiecutter(tmp_path / "work", str(kit_repository()), "--no-input", f"app_name={name}")
    assert done.returncode != 0
    assert "for example orders-api" in done.stderr or "7 * 7" in name
    assert list((tmp_path / "work").iterdir()) == []
    assert [path.name for path in tmp_path.iterdir()] == ["work"]


@pytest.fixture(scope="module")
def own_kit(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A kit in a local folder, tagged, with a commit after the tag; it generates few files."""
    kit = copy_kit(tmp_path_factory.mktemp("kits") / "kit")
    for folder in ("app", "config", "infrastructure"):
        shutil.rmtree(kit / "template" / folder)
    commit_all(kit, tag="v0.0.1")
    (kit / "template" / "NEWER.md").write_text("newer than the tag\n")
    commit_all(kit, "newer")
    return kit


@pytest.mark.slow
def test_relative_kit_at_its_very_commit_and_a_failed_deployment(own_kit: Path) -> None:
    folder = own_kit.parent / "somewhere"
    folder.mkdir()
    done = cookiecutter(folder, "../kit", "--no-input", "app_name=orders-api", "deploy=yes", PWD="/nowhere")
    service = folder / "orders-api"
    # There are no credentials, so the deployment fails; the service stays all the same.
    assert done.returncode == 0, done.stderr
    assert "cd orders-api && scaffold deploy" in done.stdout
    assert git("status", "--porcelain", cwd=service) == ""
    recorded = yaml.safe_load((service / ".copier-answers.yml").read_text())
    assert recorded["_src_path"] == str(own_kit.resolve())
    assert recorded["_commit"].startswith("v0.0.1-1-g")
    assert (service / "NEWER.md").exists()
    assert not list(own_kit.rglob("__pycache__"))
    assert git("status", "--porcelain", cwd=own_kit) == ""

    again = cookiecutter(folder, "../kit", "--replay", "--output-dir", "again")
    assert again.returncode == 0, again.stderr
    assert "were deployed before" in again.stdout
    assert (folder / "again" / "orders-api" / "README.md").exists()


def test_dirty_kit_is_refused(tmp_path: Path) -> None:
    kit = copy_kit(tmp_path / "kit")
    commit_all(kit)
    (kit / "template" / "draft.md").write_text("not committed\n")
    (tmp_path / "work").mkdir()
    done = cookiecutter(tmp_path / "work", "../kit", "--no-input", "app_name=orders-api")
    assert done.returncode != 0
    assert "uncommitted changes (template/draft.md)" in done.stderr
    assert "Commit or stash them" in done.stderr
    assert list((tmp_path / "work").iterdir()) == []


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        ("architecure: arm64", "architecure, which is not a question"),
        ("environment_settings: []", "environment_settings, which is not a question"),
        ("app_name: other", "answered by itself and in extra"),
        ("[a]", "not a YAML mapping"),
        ("just text", "not a YAML mapping"),
        ("{", "not valid YAML"),
    ],
)
def test_extra_is_checked(entry: ModuleType, extra: str, message: str) -> None:
    with pytest.raises(entry.Refused, match=message) as refused:
        entry.answers({"app_name": "orders-api", "extra": extra, "_template": "x"}, ROOT)
    assert refused.value.remedy


def test_answers_leave_out_what_is_no_question(entry: ModuleType) -> None:
    context = {
        "app_name": "orders-api",
        "deploy": True,
        "extra": "{architecture: arm64}",
        "_template": "x",
        "__directory": "y",
    }
    assert entry.answers(context, ROOT) == {"app_name": "orders-api", "architecture": "arm64"}
    assert entry.answers({"app_name": "orders-api", "extra": ""}, ROOT) == {"app_name": "orders-api"}


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    folder = tmp_path / "clone"
    folder.mkdir()
    (folder / "copier.yml").write_text("{}\n")
    commit_all(folder)
    return folder


@pytest.mark.parametrize(
    ("template", "origin", "source"),
    [
        ("acme:kit", "https://git.acme.example/kit.git", "https://git.acme.example/kit.git"),
        ("https://git.acme.example/kit", "https://git.acme.example/kit", "git+https://git.acme.example/kit"),
        ("gh:acme/kit", "https://github.com/acme/kit.git", "https://github.com/acme/kit.git"),
        ("kit", "git@acme.example:kit", "git@acme.example:kit"),
        ("file:///srv/kit", "file:///srv/kit", "git+file:///srv/kit"),
        ("kit", "codecommit::eu-west-1://kit", "git+codecommit::eu-west-1://kit"),
    ],
)
def test_clones_are_recorded_by_their_origin(
    entry: ModuleType, clone: Path, template: str, origin: str, source: str
) -> None:
    git("remote", "add", "origin", origin, cwd=clone)
    context = {"_template": template, "_repo_dir": str(clone)}
    assert entry.origin(context, clone) == (source, git("rev-parse", "HEAD", cwd=clone))


def test_kit_without_git_is_refused(entry: ModuleType, tmp_path: Path) -> None:
    with pytest.raises(entry.Refused, match="could never be updated"):
        entry.origin({"_template": "kit.zip", "_repo_dir": str(tmp_path)}, tmp_path)


def test_copier_is_found_where_it_is(entry: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(_name: str) -> str:
        raise entry.metadata.PackageNotFoundError

    def program(name: str, prints: str) -> Path:
        path = tmp_path / name
        path.write_text(f"#!/bin/sh\necho '{prints}'\n")
        path.chmod(0o755)
        return path

    assert entry.copier(ROOT) == [sys.executable, "-m", "copier"]
    monkeypatch.setattr(entry.metadata, "version", missing)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(entry.Refused, match="is not installed") as refused:
        entry.copier(ROOT)
    assert "pipx install copier" in refused.value.remedy
    old = program("copier", "copier 9.4.1")
    with pytest.raises(entry.Refused, match=r"too old \(9\.4\.1\)"):
        entry.copier(ROOT)
    uvx = program("uvx", "uvx")
    assert entry.copier(ROOT)[0] == str(uvx)
    assert "copier>=9.19.1,<10" in entry.copier(ROOT)
    program("copier", "copier 9.20.0")
    assert entry.copier(ROOT) == [str(old)]


def test_copiers_reasons_lose_their_traceback(entry: ModuleType) -> None:
    traceback = (
        "Traceback (most recent call last):\n  File \"x\"\nValueError: Validation error for question 'cpu': too much\n"
    )
    assert entry.reason(traceback) == "too much."
    assert entry.reason("jinja2.exceptions.UndefinedError: 'x' is undefined") == "'x' is undefined."
    assert entry.reason("Destination is dirty") == "Destination is dirty."
    assert entry.reason("") == "Copier gave no reason."


def test_an_interruption_leaves_nothing_unless_it_is_committed(
    entry: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(_context: dict[str, Any], _kit: Path) -> None:
        Path("half").write_text("written\n")
        if Path.cwd().name == "half-committed":
            Path(".git").mkdir()
        raise KeyboardInterrupt

    for name, kept in (("new", False), ("half-committed", False), ("there-before", True)):
        service = tmp_path / name
        service.mkdir()
        if name == "there-before":
            (service / "mine").write_text("mine\n")
        monkeypatch.chdir(service)
        assert entry.run(interrupted, {}, ROOT) == 130
        assert service.exists() is kept


@pytest.mark.parametrize(
    ("place", "value"),
    [
        ("home", "true"),
        *(
            pytest.param(place, value, marks=pytest.mark.slow)
            for place, value in (("variable", "'yes'"), ("option", "1"), ("option=", "true"))
        ),
    ],
)
def test_a_default_of_the_users_configuration_starts_no_deployment(
    own_kit: Path, tmp_path: Path, place: str, value: str
) -> None:
    configuration = tmp_path / "elsewhere.yml" if place != "home" else tmp_path / ".cookiecutterrc"
    configuration.write_text(f"default_context: {{deploy: {value}}}\n")
    options = {"option": ["--config-file", str(configuration)], "option=": [f"--config-file={configuration}"]}
    home = {"HOME": str(tmp_path), "PATH": os.environ["PATH"]}
    variables = home | ({"COOKIECUTTER_CONFIG": str(configuration)} if place == "variable" else {})
    folder = own_kit.parent / f"defaults-{place.strip('=')}-{tmp_path.name}"
    folder.mkdir()
    done = cookiecutter(folder, str(own_kit), "--no-input", *options.get(place, []), "app_name=orders-api", **variables)
    assert done.returncode == 0, done.stderr
    assert f"only {configuration} asks for it" in done.stdout
    assert f"Warning: The kit {own_kit} exists on this machine only" in done.stderr
    assert "Signed in" not in done.stdout + done.stderr
    assert not (tmp_path / ".local" / "state").exists()


def test_an_interruption_of_the_deployment_keeps_what_is_committed(
    entry: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def interrupted(_context: dict[str, Any], _kit: Path) -> None:
        Path("file").write_text("generated\n")
        commit_all(Path.cwd())
        raise KeyboardInterrupt

    monkeypatch.chdir(tmp_path)
    assert entry.run(interrupted, {}, ROOT) == 0  # with anything else cookiecutter would delete the service
    assert (tmp_path / "file").exists()
    assert "the service itself is complete" in capfd.readouterr().err
    # Generated anew over a service that was there: cookiecutter deletes nothing, and nothing is complete.
    assert entry.run(lambda *_: (_ for _ in ()).throw(KeyboardInterrupt), {}, ROOT) == 130


def test_a_home_that_cannot_be_written_stops_no_deployment(
    entry: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "home").touch()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}/usr/bin:/bin")
    monkeypatch.setattr(entry.util, "find_spec", lambda _name: None)
    (tmp_path / "scaffold").write_text("#!/bin/sh\necho ran $*\n")
    (tmp_path / "scaffold").chmod(0o755)
    entry.deploy({"app_name": "orders-api"}, ROOT, tmp_path)
    assert "ran deploy" in capfd.readouterr().out


def test_git_settings_are_the_same_here_and_in_the_package(entry: ModuleType) -> None:
    from scaffold.core import git as package

    assert entry.ISOLATED == package.ISOLATED
    assert entry.REPOSITORY_VARIABLES == package.REPOSITORY_VARIABLES


def test_deployed_once_by_whatever_scaffold_there_is(
    entry: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    service = tmp_path / "orders-api"
    service.mkdir()
    programs = tmp_path / "bin"
    programs.mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PATH", f"{programs}{os.pathsep}/usr/bin:/bin")
    monkeypatch.setattr(entry.util, "find_spec", lambda _name: None)
    context = {"app_name": "orders-api", "deploy": True, "_output_dir": str(tmp_path)}

    entry.deploy(context, ROOT, service)
    assert "is not installed. Install it, then: cd orders-api && scaffold deploy" in capfd.readouterr().out

    program = programs / "scaffold"
    program.write_text('#!/bin/sh\necho "ran $* in $(pwd)"\nexit 1\n')
    program.chmod(0o755)
    entry.deploy(context, ROOT, service)
    said = capfd.readouterr().out
    assert f"ran deploy in {service}" in said
    assert "to go on: cd orders-api && scaffold deploy" in said

    entry.deploy({**context, "_output_dir": "/elsewhere"}, ROOT, service)
    said = capfd.readouterr().out
    assert "ran deploy" not in said
    assert "were deployed before" in said
    entry.deploy({**context, "app_name": "other"}, ROOT, service)
    assert "ran deploy" in capfd.readouterr().out
