"""ministack's reset endpoint deletes roles with their permissions."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from urllib.request import ProxyHandler, Request, build_opener

import boto3
import pytest

from scaffold.local.credentials import ACCESS_KEY, SECRET_KEY
from scaffold.local.environment import running_local_aws
from tests.engine.conftest import REGION, eventually
from tests.engine.roles import EVERYTHING, create_role

NOTHING = EVERYTHING | {"Action": "none:None"}


@pytest.fixture
def endpoint() -> Iterator[str]:
    with running_local_aws(REGION, runs=True) as aws:
        yield aws.variables["AWS_ENDPOINT_URL"]


def test_a_role_that_is_created_again_has_no_permissions_of_the_deleted_one(endpoint: str) -> None:
    session = boto3.session.Session(ACCESS_KEY, SECRET_KEY)

    def client(service: str) -> Any:
        return session.client(service, REGION, endpoint_url=endpoint)

    def deploy(name: str, role: str) -> str:
        template = json.dumps({"Resources": {"Topic": {"Type": "AWS::SNS::Topic"}}})
        client("cloudformation").create_stack(StackName=name, TemplateBody=template, RoleARN=role)

        def ended() -> str:
            (stack,) = client("cloudformation").describe_stacks(StackName=name)["Stacks"]
            status = str(stack["StackStatus"])
            return "" if status.endswith("IN_PROGRESS") else status

        return str(eventually(ended))

    assert deploy("before", create_role(client("iam"), "deployer", EVERYTHING)) == "CREATE_COMPLETE"
    build_opener(ProxyHandler({})).open(Request(f"{endpoint}/_ministack/reset", method="POST"), timeout=60).close()
    assert deploy("after", create_role(client("iam"), "deployer", NOTHING)) == "ROLLBACK_COMPLETE"
