"""A local AWS that runs what is deployed to it, and a small pipeline in it."""

from __future__ import annotations

import functools
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config

from scaffold.local.credentials import ACCESS_KEY, SECRET_KEY
from scaffold.local.environment import OwnLocalAws
from tests.conftest import isolated
from tests.engine.roles import create_roles

Client = Callable[[str], Any]
REGION = "us-east-1"
BUCKET = "artifacts"


@pytest.fixture(scope="module")
def variables(
    local_aws_for_builds: Callable[..., AbstractContextManager[OwnLocalAws]],
) -> Iterator[dict[str, str]]:
    """The environment variables of a local AWS that runs pipelines."""
    with local_aws_for_builds(REGION) as aws:
        yield aws.variables


@pytest.fixture(scope="module")
def client(variables: dict[str, str]) -> Client:
    """Creates stock boto3 clients for it."""
    session = boto3.session.Session(ACCESS_KEY, SECRET_KEY)

    @functools.cache
    def make(service: str) -> Any:
        config = Config(retries={"max_attempts": 0}, proxies={}, s3={"addressing_style": "path"})
        return session.client(service, REGION, endpoint_url=variables["AWS_ENDPOINT_URL"], config=config)

    make("s3").create_bucket(Bucket=BUCKET)
    create_roles(make("iam"), "pipeline", "builds")
    return make


class Repository:
    """A clone of a CodeCommit repository."""

    def __init__(self, path: Path, variables: dict[str, str]) -> None:
        self.path = path
        identity = {
            f"GIT_{who}_{what}": "dev@example.com" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")
        }
        self._variables = isolated(path.parent) | variables | identity
        self._variables["PATH"] = f"{variables['PATH']}{os.pathsep}{Path(sys.executable).parent}"

    @classmethod
    def create(cls, name: str, variables: dict[str, str], client: Client, folder: Path) -> Repository:
        """Create an empty repository, and a clone of it."""
        client("codecommit").create_repository(repositoryName=name)
        path = folder / "clone"
        path.mkdir()
        made = cls(path, variables)
        made.git("init", "--quiet", "--initial-branch=main")
        made.git("remote", "add", "origin", f"codecommit::{REGION}://{name}")
        return made

    def git(self, *arguments: str) -> str:
        done = subprocess.run(
            ["git", *arguments], cwd=self.path, env=self._variables, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def push(self, message: str = "A change", **files: str) -> str:
        """Write files, whose names are given with two underscores for a dot, commit them and push the commit."""
        for name, content in files.items():
            (self.path / name.replace("__", ".")).write_text(content)
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", message)
        self.git("push", "--quiet", "origin", "HEAD:main")
        return self.git("rev-parse", "HEAD")


@pytest.fixture
def repository(
    variables: dict[str, str], client: Client, remote_helper: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> Repository:
    """An empty repository with the name of the test."""
    path = f"{remote_helper}{os.pathsep}{variables['PATH']}"
    return Repository.create(name_of(request), variables | {"PATH": path}, client, tmp_path)


def name_of(request: pytest.FixtureRequest) -> str:
    """A name for the resources of a test."""
    return re.sub(r"[^a-z0-9]+", "-", request.node.name.removeprefix("test_"))[:60].strip("-")


def eventually(check: Callable[[], Any], seconds: float = 60) -> Any:
    """What a function returns, once it is true."""
    end = time.monotonic() + seconds
    while True:
        found = check()
        if found or time.monotonic() > end:
            return found
        time.sleep(0.1)
