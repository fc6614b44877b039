"""The deploy roles provision all stacks of the kit on local AWS, which checks each call."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from scaffold.local.environment import running_local_aws
from tests.infrastructure.stacks import environments
from tests.infrastructure.test_local_aws import Account
from tests.infrastructure.variants import FEW

OWN_VPC = {name: answers for name, answers in FEW.items() if "existing" not in name}


@pytest.fixture(scope="module")
def account_of() -> Iterator[Callable[[Path], Account]]:
    with running_local_aws(runs=True) as aws:
        yield lambda root: Account(aws.variables, root)


@pytest.mark.slow
@pytest.mark.parametrize("variant", OWN_VPC)
def test_deploy_roles_provision_all_stacks(
    account_of: Callable[[Path], Account], generated: Callable[..., Path], variant: str
) -> None:
    """They create and delete them. The service itself runs in test_running.py."""
    root = generated(**{"app_name": f"roles-{'abcdefgh'[list(OWN_VPC).index(variant)]}", **OWN_VPC[variant]})
    account = account_of(root)

    def role(name: str) -> str:
        return f"arn:aws:iam::000000000000:role/{account.app}/deploy/{account.app}-{name}-deploy"

    for kind in ("foundation", "permissions"):
        account.apply(kind, f"{kind}.yaml", f"{kind}.json")
    for kind in ("build", "pipeline"):
        account.apply(kind, f"{kind}.yaml", f"{kind}.json", role("delivery"))
    for name in environments(root):
        account.apply(f"{name}-deploy-role", "deploy-role.yaml", f"{name}/deploy-role.json")
        for kind in ("network", "environment", "alarms"):
            account.apply(f"{name}-{kind}", f"{kind}.yaml", f"{name}/{kind}.json", role(name))
        image = {"ImageUri": f"registry/{account.app}@sha256:{'0' * 64}", "Version": "0" * 12}
        account.apply(f"{name}-task-definition", f"{name}/task-definition.yaml", role=role(name), **image)
        for kind in ("task-definition", "alarms", "environment", "network"):
            account.delete(f"{name}-{kind}")
    for kind in ("pipeline", "build"):
        account.delete(kind)
