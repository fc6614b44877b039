"""A local AWS whose pipelines run, for each test process, and services with a small pipeline."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import boto3
import pytest

import scaffold.aws.git_remote
import scaffold.aws.session
from scaffold.local.environment import OwnLocalAws
from scaffold.service import names
from scaffold.service.service import read
from tests.deploy.services import Wire, commit, make_service
from tests.engine.roles import create_roles
from tests.release.services import BUILD, PIPELINE


@pytest.fixture(scope="session")
def running_variables(
    tmp_path_factory: pytest.TempPathFactory, local_aws_for_builds: Callable[..., AbstractContextManager[OwnLocalAws]]
) -> Iterator[dict[str, str]]:
    home = tmp_path_factory.mktemp("home")
    with local_aws_for_builds(speed=100) as aws:
        keys = aws.variables["AWS_ACCESS_KEY_ID"], aws.variables["AWS_SECRET_ACCESS_KEY"]
        session = boto3.session.Session(*keys, region_name=aws.region)
        create_roles(session.client("iam", endpoint_url=aws.variables["AWS_ENDPOINT_URL"]), "build", "pipeline", "push")
        isolated = {"HOME": os.fspath(home), "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
        yield aws.variables | isolated


@pytest.fixture
def aws(running_variables: dict[str, str], remote_helper: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scaffold.aws.git_remote, "_BESIDE_INTERPRETER", remote_helper)
    for name, value in running_variables.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def wire(aws: None, monkeypatch: pytest.MonkeyPatch) -> Wire:
    """The API calls of the command under test."""
    wire = Wire()
    monkeypatch.setattr(scaffold.aws.session, "new_session", wire.session(scaffold.aws.session.new_session))
    return wire


@pytest.fixture
def service(aws: None, tmp_path: Path) -> Path:
    """A committed service with a pipeline that runs, not deployed yet."""
    root = make_service(tmp_path / "service")
    tags = json.dumps({"Tags": {names.TAG_SERVICE: read(root).app_name}})
    files = {"infrastructure__build_yaml": BUILD, "infrastructure__pipeline_yaml": PIPELINE, "version_txt": "v1\n"}
    commit(root, **files, infrastructure__environment_json=tags)
    return root
