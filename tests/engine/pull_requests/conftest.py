"""A repository with a pull request, people who review it, and the events that tell of it."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any

import boto3
import pytest
from botocore.config import Config

from scaffold.local.credentials import ACCESS_KEY, SECRET_KEY
from scaffold.local.environment import OwnLocalAws
from tests.engine.conftest import REGION, Client, Repository, eventually
from tests.engine.roles import EVERYTHING, create_role, create_roles

ACCOUNT = "000000000000"
#: Creates a role that may do what statements say, and returns the clients of a session of it: of CodeCommit by default.
Person = Callable[..., Any]


def branch(repository: Repository, name: str, message: str = "A change", **files: str) -> str:
    """Commit files on a branch, push it, and return the commit."""
    for file, content in files.items():
        (repository.path / file).write_text(content)
    repository.git("checkout", "--quiet", "-B", name)
    repository.git("add", "--all")
    repository.git("commit", "--quiet", "--allow-empty", "--message", message)
    repository.git("push", "--quiet", "--force", "origin", name)
    return repository.git("rev-parse", "HEAD")


@pytest.fixture(scope="package")
def variables(
    local_aws_for_builds: Callable[..., AbstractContextManager[OwnLocalAws]],
) -> Iterator[dict[str, str]]:
    """The environment variables of one local AWS for all of these tests."""
    with local_aws_for_builds(REGION) as aws:
        yield aws.variables


@pytest.fixture(scope="package")
def client(variables: dict[str, str]) -> Client:
    """Creates stock clients for it."""

    @functools.cache
    def make(service: str) -> Any:
        return stock_client(service, variables, ACCESS_KEY, SECRET_KEY)

    create_roles(make("iam"), "builds")
    return make


def stock_client(service: str, variables: dict[str, str], *credentials: str) -> Any:
    return boto3.session.Session(*credentials).client(
        service,
        REGION,
        endpoint_url=variables["AWS_ENDPOINT_URL"],
        config=Config(retries={"max_attempts": 0}, proxies={}),
    )


@pytest.fixture
def codecommit(client: Client) -> Any:
    return client("codecommit")


@pytest.fixture
def name(repository: Repository) -> str:
    """A repository with a commit on main, and another one on the branch change."""
    for branch_, file, text in (("main", "a", "1\n2\n3\n"), ("change", "b", "1\n")):
        repository.git("checkout", "--quiet", "-B", branch_)
        (repository.path / file).write_text(text)
        repository.git("add", "--all")
        repository.git("commit", "--quiet", "--message", branch_)
    repository.git("push", "--quiet", "origin", "main", "change")
    return repository.git("remote", "get-url", "origin").rpartition("/")[2]


@pytest.fixture
def request_of(codecommit: Any, name: str) -> Callable[..., dict[str, Any]]:
    """Creates a pull request from change to main."""

    def create(by: Any = codecommit, **more: Any) -> dict[str, Any]:
        target = {"repositoryName": name, "sourceReference": "change", "destinationReference": "main"}
        made: dict[str, Any] = by.create_pull_request(title="A change", targets=[target], **more)["pullRequest"]
        return made

    return create


@pytest.fixture
def person(client: Client, variables: dict[str, str], name: str) -> Person:
    def assume(role: str, session: str = "mary", service: str = "codecommit", *statements: dict[str, Any]) -> Any:
        full = f"{name[:40]}-{role}"
        arn = f"arn:aws:iam::{ACCOUNT}:role/{full}"
        if full not in {one["RoleName"] for one in client("iam").list_roles()["Roles"]}:
            create_role(client("iam"), full, *(statements or (EVERYTHING,)))
        given = client("sts").assume_role(RoleArn=arn, RoleSessionName=session)["Credentials"]
        keys = (given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"])
        return stock_client(service, variables, *keys)

    return assume


@pytest.fixture
def told(client: Client, name: str) -> Iterator[Callable[..., list[dict[str, Any]]]]:
    """Waits for a number of events of pull requests, and returns their details, the oldest first."""
    queue = client("sqs").create_queue(QueueName=name)["QueueUrl"]
    pattern = {"source": ["aws.codecommit"], "resources": [f"arn:aws:codecommit:{REGION}:{ACCOUNT}:{name}"]}
    client("events").put_rule(Name=name, EventPattern=json.dumps(pattern))
    client("events").put_targets(Rule=name, Targets=[{"Id": "queue", "Arn": f"arn:aws:sqs:{REGION}:{ACCOUNT}:{name}"}])
    found: list[dict[str, Any]] = []

    def receive(number: int, kind: str = "CodeCommit Pull Request State Change") -> list[dict[str, Any]]:
        def enough() -> bool:
            answer = client("sqs").receive_message(QueueUrl=queue, MaxNumberOfMessages=10)
            for one in answer.get("Messages", []):
                client("sqs").delete_message(QueueUrl=queue, ReceiptHandle=one["ReceiptHandle"])
                found.append(json.loads(one["Body"]))
            return sum(one["detail-type"] == kind for one in found) >= number

        assert eventually(enough), found
        return [one["detail"] for one in found if one["detail-type"] == kind]

    yield receive
    client("events").remove_targets(Rule=name, Ids=["queue"])
    client("events").delete_rule(Name=name)
