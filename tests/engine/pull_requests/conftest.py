"""A repository with a pull request, people who review it, and the events that tell of it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
from botocore.config import Config

from tests.engine.conftest import REGION, Client, Repository, eventually
from tests.engine.roles import EVERYTHING, create_role

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


@pytest.fixture
def codecommit(client: Client) -> Any:
    return client("codecommit")


@pytest.fixture
def name(repository: Repository) -> str:
    """A repository with a commit on main, and another one on the branch change."""
    repository.push("First", a="1\n2\n3\n")
    branch(repository, "change", "Second", b="1\n")
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
        return boto3.session.Session(given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"]).client(
            service,
            REGION,
            endpoint_url=variables["AWS_ENDPOINT_URL"],
            config=Config(retries={"max_attempts": 0}, proxies={}),
        )

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
