"""One local AWS for each test process; for each test, an empty account and a service of its own."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from urllib.request import Request, urlopen

import pytest

import scaffold.aws.git_remote
import scaffold.aws.session
from scaffold.local.environment import local_aws
from tests.deploy.services import Deployments, Wire, make_service, run


@pytest.fixture(scope="session")
def local_variables(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    home = tmp_path_factory.mktemp("home")
    with local_aws() as addresses:
        isolated = {"HOME": os.fspath(home), "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
        yield addresses | isolated


@pytest.fixture
def aws(local_variables: dict[str, str], remote_helper: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty local AWS, without this machine's Git and AWS settings."""
    # Otherwise each listing of all stacks would have those of all tests before.
    reset = Request(f"{local_variables['AWS_ENDPOINT_URL']}/_ministack/reset", method="POST")
    urlopen(reset, timeout=60).close()
    monkeypatch.setattr(scaffold.aws.git_remote, "_BESIDE_INTERPRETER", remote_helper)
    # Through monkeypatch, which then also restores variables that a test changes.
    for name, value in local_variables.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def wire(aws: None, monkeypatch: pytest.MonkeyPatch) -> Wire:
    """The API calls of the command under test."""
    wire = Wire()
    monkeypatch.setattr(scaffold.aws.session, "new_session", wire.session(scaffold.aws.session.new_session))
    return wire


@pytest.fixture
def service(aws: None, tmp_path: Path) -> Path:
    """A committed service that is not deployed yet."""
    return make_service(tmp_path / "service")


@pytest.fixture(scope="session")
def deployments(tmp_path_factory: pytest.TempPathFactory) -> Deployments:
    """Deployed services that tests get copies of."""
    return Deployments(tmp_path_factory.mktemp("deployments"))


@pytest.fixture
def deployed(aws: None, tmp_path: Path, deployments: Deployments) -> Path:
    """That service after its first deployment."""
    return deployments.copy("small", lambda root: run(make_service(root)), tmp_path / "service")
