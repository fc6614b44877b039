"""Secrets that a repository lists: the execution role reads them, and neither role nor boundary leads to any other."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.infrastructure.iam import allowed, boundary_of
from tests.infrastructure.stacks import ACCOUNT, REGION, Stacks, load

APP = "hello-service"
PARAMETER = "arn:aws:ssm:us-east-1:{}:parameter/{}"
SECRET = "arn:aws:secretsmanager:us-east-1:{}:secret:{}-AbCdEf"
KEY = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/1"


@pytest.fixture(scope="module")
def root(generated: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A service with variables and secrets."""
    copy = tmp_path_factory.mktemp("settings") / "service"
    source = generated()
    for folder in ("config/scripts", "config/environments", "config/rules", "infrastructure"):
        shutil.copytree(source / folder, copy / folder)
    shutil.copy(source / ".copier-answers.yml", copy)
    (copy / "config/environments/dev.env").write_text("LOG_LEVEL=debug\nMOTD=it's: #1 é\n")
    secrets = {
        "DB_PASSWORD": {"store": "parameter-store", "environments": {"dev": 1, "prod": 3}},
        "API_TOKEN": {"store": "secrets-manager", "environments": {"dev": 2}},
    }
    (copy / "config/environments/secrets.json").write_text(json.dumps(secrets))
    subprocess.run([sys.executable, "-B", str(copy / "config/scripts/task_settings.py")], check=True)
    return copy


@pytest.fixture(scope="module")
def stacks(root: Path) -> Stacks:
    return load(root)


def test_the_execution_role_reads_the_listed_secrets_within_its_boundary(stacks: Stacks) -> None:
    policy = stacks[f"{APP}-dev-task-definition"].resources["SecretsPolicy"]["Properties"]
    own = policy["PolicyDocument"]["Statement"]
    limit = boundary_of(stacks[f"{APP}-dev-deploy-role"])
    for action, arn, context, name in (
        ("ssm:GetParameters", PARAMETER, "PARAMETER_ARN", "DB_PASSWORD"),
        ("secretsmanager:GetSecretValue", SECRET, "SecretARN", "API_TOKEN"),
    ):
        listed = arn.format(ACCOUNT, f"{APP}/dev/{name}")
        unlisted = arn.format(ACCOUNT, f"{APP}/dev/OTHER")
        others = [
            arn.format(ACCOUNT, path)
            for path in (f"{APP}/prod/{name}", f"{APP}/build/{name}", f"{APP}-admin/dev/{name}", f"{APP}/dev2/{name}")
        ]

        def may_read(statements: list[dict[str, object]], resource: str, act: str = action, key: str = context) -> bool:
            read = allowed(statements, act, resource)
            assert read == allowed(statements, "kms:Decrypt", KEY, {f"kms:EncryptionContext:{key}": resource}), resource
            return read

        assert may_read(own, listed)
        assert may_read(limit, listed)
        assert not may_read(own, unlisted)
        for other in others:
            assert not may_read(own, other)
            assert not may_read(limit, other)
        for statements in (own, limit):
            assert not allowed(statements, "kms:Decrypt", KEY)


def test_the_role_of_the_checks_sees_whether_secrets_exist_and_reads_none(stacks: Stacks) -> None:
    role = stacks[f"{APP}-checks"].resources["ChecksRole"]["Properties"]["Policies"][0]["PolicyDocument"]["Statement"]
    limit = boundary_of(stacks[f"{APP}-permissions"])
    parameter, secret = (arn.format(ACCOUNT, f"{APP}/prod/A") for arn in (PARAMETER, SECRET))
    for statements in (role, limit):
        assert allowed(statements, "ssm:ListTagsForResource", parameter)
        assert allowed(statements, "secretsmanager:DescribeSecret", secret)
        assert not allowed(statements, "ssm:GetParameters", parameter)
        assert not allowed(statements, "ssm:GetParameter", parameter)
        assert not allowed(statements, "secretsmanager:GetSecretValue", secret)
    assert not allowed(role, "ssm:ListTagsForResource", PARAMETER.format(ACCOUNT, f"{APP}-admin/prod/A"))


@pytest.mark.slow
def test_cfn_lint_and_the_rules_of_the_kit_accept_the_templates(root: Path) -> None:
    files = sorted(str(path) for path in root.glob("infrastructure/*/task-definition.yaml"))
    command = [Path(sys.executable).parent / "cfn-lint", "--regions", REGION, "--ignore-checks", "W6001"]
    done = subprocess.run(
        [*command, "--append-rules", root / "config/rules", "--", *files], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout
