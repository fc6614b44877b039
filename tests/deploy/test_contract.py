"""A Dockerfile that the pipeline cannot build or release is refused before anything is pushed."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from scaffold.core.errors import ScaffoldError
from scaffold.service import contract
from scaffold.service.service import read
from tests.deploy.services import commit, make_service, run
from tests.kits import ROOT

SCRIPTS = (
    *("contract.py", "content_hash.py", "parse_dockerfile.py"),
    *("task_settings.py", "environment_files.py", "source_files.py", "aws_cli.py", "remedies.py"),
)


@pytest.fixture
def service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A service with the scripts of the kit. Without local AWS: the refusal comes before any call."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    folder = make_service(tmp_path / "service")
    (folder / "config/scripts").mkdir(parents=True)
    for name in SCRIPTS:
        shutil.copy(ROOT / "template/config/scripts" / name, folder / "config/scripts")
    return folder


def dockerfile(service: Path, text: str) -> None:
    (service / "app").mkdir(exist_ok=True)
    (service / "app/Dockerfile").write_text(text)
    commit(service)


@pytest.mark.parametrize("plan", [False, True])
def test_what_is_missing_is_named_with_its_remedy(service: Path, plan: bool) -> None:
    dockerfile(service, "FROM python:3.12-slim\n")
    with pytest.raises(ScaffoldError) as caught:
        run(service, plan=plan)
    assert caught.value.happened == "app/Dockerfile has no stage test, so nothing would be tested."
    assert caught.value.remedy.startswith("Add a stage test")
    assert not list(service.rglob("__pycache__"))


def test_a_dockerfile_that_meets_the_contract_passes(service: Path) -> None:
    dockerfile(service, "# tests: none\nFROM python:3.12-slim\n")
    contract.check_dockerfile(read(service))


def test_settings_of_tasks_that_are_wrong_are_refused_too(service: Path) -> None:
    (service / "config/environments").mkdir()
    (service / "config/environments/qa.env").write_text("A=b\n")
    dockerfile(service, "# tests: none\nFROM python:3.12-slim\n")
    with pytest.raises(ScaffoldError, match=r"^config/environments/qa\.env is of an environment that this service"):
        contract.check_dockerfile(read(service))


def test_a_script_that_fails_is_no_bug(service: Path) -> None:
    dockerfile(service, "FROM python:3.12-slim\n")
    (service / "config/scripts/parse_dockerfile.py").unlink()
    with pytest.raises(ScaffoldError, match=r"^config/scripts/contract\.py cannot check app/Dockerfile\.$"):
        contract.check_dockerfile(read(service))


def test_the_script_gets_no_credentials(service: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dockerfile(service, "FROM python:3.12-slim\n")
    (service / "config/scripts/contract.py").write_text(
        "import os, sys\nsys.exit(any('AWS' in name for name in os.environ))\n"
    )
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    contract.check_dockerfile(read(service))


def test_a_service_without_the_script_is_not_checked(tmp_path: Path) -> None:
    contract.check_dockerfile(read(make_service(tmp_path / "service")))
