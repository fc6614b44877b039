"""A local AWS in which builds run, on a machine with credentials and settings that no build may see."""

from __future__ import annotations

import functools
import io
import itertools
import json
import os
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config

from scaffold.local.downloads import downloads
from scaffold.local.environment import LocalAws
from tests.deploy.services import variables
from tests.engine.roles import create_roles
from tests.kits import generate

# The environment at the start of the session, which other tests reduce: npm needs some of it.
MACHINE = dict(os.environ)
SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
KEY = "AKIAIOSFODNN7EXAMPLE"


@pytest.fixture(scope="session")
def aws(
    tmp_path_factory: pytest.TempPathFactory, local_aws_for_builds: Callable[..., AbstractContextManager[LocalAws]]
) -> Iterator[LocalAws]:
    """Local AWS with builds."""
    home = tmp_path_factory.mktemp("user")
    for name, text in {
        ".aws/credentials": f"[default]\naws_access_key_id = {KEY}\naws_secret_access_key = {SECRET}\n",
        ".aws/config": "[default]\noutput = json\n",
        ".docker/config.json": json.dumps({"auths": {"registry.example": {"auth": SECRET}}}),
        ".netrc": f"machine example.com login me password {SECRET}\n",
    }.items():
        (home / name).parent.mkdir(exist_ok=True)
        (home / name).write_text(text)
    planted = {
        "HOME": str(home),
        "AWS_ACCESS_KEY_ID": KEY,
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_SESSION_TOKEN": SECRET,
        "AWS_PROFILE": "default",
        "AWS_CONFIG_FILE": str(home / ".aws/config"),
        "AWS_SHARED_CREDENTIALS_FILE": str(home / ".aws/credentials"),
        "DOCKER_CONFIG": str(home / ".docker"),
        "DOCKER_HOST": "tcp://docker.example:2375",
        "GITHUB_TOKEN": SECRET,
    }
    with ExitStack() as running:
        with variables({**downloads(MACHINE), **planted}):  # It has those of its start.
            aws = running.enter_context(local_aws_for_builds())
        yield aws


@pytest.fixture(scope="session")
def client(aws: LocalAws) -> Callable[[str], Any]:
    """Creates stock clients."""

    @functools.cache
    def make(service: str) -> Any:
        return boto3.session.Session().client(
            service,
            region_name="us-east-1",
            endpoint_url=aws.variables["AWS_ENDPOINT_URL"],
            aws_access_key_id=aws.variables["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=aws.variables["AWS_SECRET_ACCESS_KEY"],
            config=Config(retries={"max_attempts": 0}, proxies={}),
        )

    create_roles(make("iam"), "builds")
    return make


@dataclass
class Project:
    """A project of CodeBuild, and builds of it."""

    name: str
    client: Callable[[str], Any]
    bucket: str

    def start(self, files: dict[str, str | bytes] | Path, **given: Any) -> str:
        """Start a build of files, and return its id."""
        content = io.BytesIO()
        with zipfile.ZipFile(content, "w") as archive:
            if isinstance(files, Path):
                for path in sorted(files.rglob("*")):
                    if path.is_file() and ".git" not in path.relative_to(files).parts:
                        archive.write(path, path.relative_to(files))
            else:
                for name, text in files.items():
                    archive.writestr(name, text)
        key = f"{self.name}/Source/{time.time_ns()}"  # As CodePipeline names it.
        self.client("s3").put_object(Bucket=self.bucket, Key=key, Body=content.getvalue())
        location = f"{self.bucket}/{key}"
        given = {"sourceTypeOverride": "S3", "sourceLocationOverride": location, **given}
        given.setdefault("artifactsOverride", {"type": "NO_ARTIFACTS"})
        return str(self.client("codebuild").start_build(projectName=self.name, **given)["build"]["id"])

    def describe(self, identifier: str) -> dict[str, Any]:
        (build,) = self.client("codebuild").batch_get_builds(ids=[identifier])["builds"]
        return dict(build)

    def wait(self, identifier: str, seconds: float = 240) -> dict[str, Any]:
        """The description of a build at its end."""
        deadline = time.monotonic() + seconds
        while not (build := self.describe(identifier))["buildComplete"]:
            assert time.monotonic() < deadline, self.log(build)
            time.sleep(0.1)
        return build

    def build(self, files: dict[str, str | bytes] | Path, **given: Any) -> dict[str, Any]:
        return self.wait(self.start(files, **given))

    def log(self, build: dict[str, Any]) -> str:
        """The log so far."""
        logs, lines, token = self.client("logs"), [], None
        while True:
            page = logs.get_log_events(
                logGroupName=build["logs"]["groupName"],
                logStreamName=build["logs"]["streamName"],
                startFromHead=True,
                **({"nextToken": token} if token else {}),
            )
            lines += [event["message"] for event in page["events"]]
            if page["nextForwardToken"] == token or not page["events"]:
                return "\n".join(lines)
            token = page["nextForwardToken"]


def make_project(client: Callable[[str], Any], name: str, **more: Any) -> Project:
    """A project like the kit's: its pipeline gives it the source."""
    bucket = f"{name}-artifacts"
    client("s3").create_bucket(Bucket=bucket)
    environment = {
        "type": "LINUX_CONTAINER",
        "image": "aws/codebuild/amazonlinux-x86_64-standard:6.0",
        "computeType": "BUILD_GENERAL1_SMALL",
    }
    client("codebuild").create_project(
        **{
            "name": name,
            "source": {"type": "CODEPIPELINE"},
            "artifacts": {"type": "CODEPIPELINE"},
            "environment": environment,
            "serviceRole": "arn:aws:iam::000000000000:role/builds",
            **more,
        }
    )
    return Project(name, client, bucket)


_NUMBERS = itertools.count()


@pytest.fixture
def project(client: Callable[[str], Any]) -> Project:
    """A project of its own for a test."""
    return make_project(client, f"project-{next(_NUMBERS)}")


@pytest.fixture(scope="session")
def generated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A service with the default answers."""
    return generate(tmp_path_factory.mktemp("generated") / "service")
