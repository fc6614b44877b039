"""The target is a value: one process works on several accounts and regions, whatever the environment variables are."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import boto3
import pytest

from scaffold.console.console import Console
from scaffold.core.git import git
from scaffold.core.target import Target, configured_target
from scaffold.deployment.deploy import deploy
from scaffold.deployment.destroy import destroy
from scaffold.local.environment import running_local_aws
from scaffold.service.service import read
from tests.deploy.services import deployed_stacks, lift_protection, make_service
from tests.kits import generate

HOSTILE = {
    "AWS_PROFILE": "missing-profile",
    "AWS_DEFAULT_PROFILE": "missing-profile",
    "AWS_ENDPOINT_URL": "http://127.0.0.1:1",
    "AWS_ENDPOINT_URL_CLOUDFORMATION": "http://127.0.0.1:1",
    "AWS_ACCESS_KEY_ID": "wrong",
    "AWS_SECRET_ACCESS_KEY": "wrong",
    "AWS_SESSION_TOKEN": "wrong",
    "AWS_REGION": "eu-north-1",
    "AWS_USE_FIPS_ENDPOINT": "true",
    "AWS_USE_DUALSTACK_ENDPOINT": "true",
    "AWS_CA_BUNDLE": "/nowhere.pem",
    "CODE_COMMIT_ENDPOINT": "127.0.0.1:1",
    "GIT_SSL_CAINFO": "/nowhere.pem",
    "HTTP_PROXY": "http://127.0.0.1:1",
    "HTTPS_PROXY": "http://127.0.0.1:1",
}


def cloudformation(target: Target) -> Any:
    """A client in a target's region."""
    assert target.endpoint
    return boto3.session.Session(
        aws_access_key_id=target.endpoint.access_key, aws_secret_access_key=target.endpoint.secret_key
    ).client("cloudformation", region_name=target.region, endpoint_url=target.endpoint.url)


def stacks(target: Target) -> set[str]:
    """The names of the stacks in a target's region."""
    found = cloudformation(target).describe_stacks()["Stacks"]
    return {one["StackName"] for one in found if one["StackStatus"] != "DELETE_COMPLETE"}


@pytest.mark.slow
def test_services_regions_and_accounts_side_by_side(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with running_local_aws("us-east-1") as one, running_local_aws("eu-west-1") as other:
        services = {
            "orders": read(make_service(tmp_path / "orders", "orders")),
            "billing": read(make_service(tmp_path / "billing", "billing", aws_region="eu-west-1")),
            "shipping": read(make_service(tmp_path / "shipping", "shipping", aws_region="ap-south-1")),
        }
        targets = {
            "orders": one.target,
            "billing": other.target,
            # The same AWS as another service, in another region.
            "shipping": Target("ap-south-1", endpoint=one.target.endpoint, local=True),
        }
        for variable, value in HOSTILE.items():
            monkeypatch.setenv(variable, value)
        environment = dict(os.environ)

        def work(name: str) -> bool:
            return deploy(services[name], targets[name], plan=False, console=Console()).changed

        def undo(name: str) -> int:
            options = {"environment": None, "plan": False, "confirm": lambda _: True}
            return len(destroy(services[name], targets[name], console=Console(), **options).changes)

        with ThreadPoolExecutor(3) as pool:
            assert list(pool.map(work, services)) == [True, True, True]
            assert list(pool.map(work, services)) == [False, False, False]
        assert dict(os.environ) == environment
        with monkeypatch.context() as plain:
            for variable in HOSTILE:
                plain.delenv(variable)
            assert stacks(targets["orders"]) == set(deployed_stacks("orders"))
            assert stacks(targets["billing"]) == set(deployed_stacks("billing"))
            assert stacks(targets["shipping"]) == set(deployed_stacks("shipping"))
            for name, target in targets.items():
                lift_protection(name, cloudformation=cloudformation(target))
        for name, service in services.items():
            assert git("rev-parse", "refs/remotes/origin/main", cwd=service.root), name
        with ThreadPoolExecutor(3) as pool:
            assert all(pool.map(undo, services))


def test_the_configuration_is_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCAFFOLD_LOCAL", "1")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:4566")
    target = configured_target("us-east-1", "team")
    monkeypatch.delenv("SCAFFOLD_LOCAL")
    assert target == Target("us-east-1", "team", local=True, runs=False)
    assert not configured_target("us-east-1").local


@pytest.mark.parametrize(
    "endpoint", ["", "https://cloudformation.us-east-1.amazonaws.com", "http://[", "localhost:4566"]
)
def test_only_an_endpoint_on_this_machine_is_local(monkeypatch: pytest.MonkeyPatch, endpoint: str) -> None:
    """A variable that is left over in a shell must not label an account as local AWS."""
    monkeypatch.setenv("SCAFFOLD_LOCAL", "1")
    monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
    assert not configured_target("us-east-1").local


def test_secrets_are_not_shown(tmp_path: Path) -> None:
    with running_local_aws() as aws:
        assert aws.target.endpoint
        assert aws.target.endpoint.secret_key not in repr(aws.target)


@pytest.mark.parametrize("region", ["us-east-10", "ap-southeast-2", "us-gov-west-1"])
def test_a_region_that_the_kit_accepts_is_read_back(tmp_path: Path, region: str) -> None:
    assert read(generate(tmp_path / "service", aws_region=region)).region == region
