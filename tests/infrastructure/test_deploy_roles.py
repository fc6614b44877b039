"""The deploy roles provision all stacks of the kit on local AWS, which checks each call."""

from __future__ import annotations

import functools
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
        return f"arn:aws:iam::000000000000:role/{account.app}/deploy/{account.app}-{name}"

    def has(kind: str, extension: str = "yaml") -> bool:
        return (root / "infrastructure" / f"{kind}.{extension}").is_file()

    for kind in filter(has, ("foundation", "permissions", "access-logs")):
        account.apply(kind, f"{kind}.yaml", f"{kind}.json")
    for kind in ("build", "pipeline"):
        account.apply(kind, f"{kind}.yaml", f"{kind}.json", role("delivery-deploy"))
    for name in environments(root):
        own = functools.partial(filter, lambda kind, name=name: has(kind) and has(f"{name}/{kind}", "json"))
        for kind in own(("alarm-topic", "deploy-role", "deploy-options", "data-role")):
            account.apply(f"{name}-{kind}", f"{kind}.yaml", f"{name}/{kind}.json")
        for kind in own(("network", "database", "environment", "waf", "alarms")):
            deployer = role(f"{name}-deploy-data" if kind == "database" else f"{name}-deploy")
            account.apply(f"{name}-{kind}", f"{kind}.yaml", f"{name}/{kind}.json", deployer)
        image = {"ImageUri": f"registry/{account.app}@sha256:{'0' * 64}", "Version": "0" * 12}
        account.apply(f"{name}-task-definition", f"{name}/task-definition.yaml", role=role(f"{name}-deploy"), **image)
        if has("database"):
            rds = account.client("rds")
            rds.modify_db_cluster(DBClusterIdentifier=f"{account.app}-{name}", DeletionProtection=False)
        for kind in ("task-definition", *own(("alarms", "waf", "environment", "database", "network"))):
            account.delete(f"{name}-{kind}")
    for kind in ("pipeline", "build"):
        account.delete(kind)
