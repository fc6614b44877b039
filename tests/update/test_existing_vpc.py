"""`copier update` moves environments into an existing VPC and back."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import copier
import pytest
import yaml

from scaffold.core.git import git
from tests.entry_points.entry_points import through_copier, tree
from tests.infrastructure.variants import EXISTING
from tests.kits import commit_all, kit_repository

OWN = {"app_name": "orders-api", "environments": "dev,prod"}


def changed_to(service: Path, **answers: Any) -> dict[str, tuple[int, bytes]]:
    copier.run_update(service, data=answers, defaults=True, overwrite=True, quiet=True, vcs_ref=copier.VcsRef.CURRENT)
    assert git("ls-files", "--unmerged", cwd=service) == ""
    commit_all(service)
    return tree(service)


@pytest.mark.parametrize(
    ("before", "answers"),
    [
        pytest.param({}, EXISTING, marks=pytest.mark.slow),
        pytest.param({"egress": "nat_gateway", "vpc_cidr": "10.9.0.0/16"}, EXISTING, marks=pytest.mark.slow),
        pytest.param({}, {"environment_overrides": {"prod": EXISTING}}, marks=pytest.mark.slow),
    ],
    ids=str,
)
def test_from_vpcs_of_their_own_and_back(before: dict[str, Any], answers: dict[str, Any], tmp_path: Path) -> None:
    kit = kit_repository()
    service = through_copier(tmp_path / "service", OWN | before, kit)
    git("init", "-q", "-b", "main", cwd=service)
    commit_all(service)
    given = {"customize": True, **answers}
    after = changed_to(service, **given)
    # As if they had been there from the start: nothing of the networks is left, in the recorded answers either.
    assert after == tree(through_copier(tmp_path / "expected", OWN | given, kit))
    back = {"vpc_id": ""} if "vpc_id" in answers else {"environment_overrides": {}}
    found = changed_to(service, **back)
    assert "infrastructure/network.yaml" in found
    assert "infrastructure/prod/network.json" in found
    recorded = yaml.safe_load(found[".copier-answers.yml"][1])
    assert "public_subnet_ids" not in recorded


def test_a_recorded_block_that_is_no_longer_accepted_stays(tmp_path: Path) -> None:
    """Dropping the answer would replace the VPCs."""
    service = through_copier(tmp_path / "service", OWN | {"vpc_cidr": "172.18.0.0/16"}, kit_repository())
    for path in (".copier-answers.yml", "infrastructure/dev/network.json", "infrastructure/prod/network.json"):
        text = (service / path).read_text()
        assert "172.18.0.0/16" in text
        (service / path).write_text(text.replace("172.18.", "172.17."))
    git("init", "-q", "-b", "main", cwd=service)
    commit_all(service)
    before = tree(service)
    # Not an update: with only one kit, it would give the recorded answers anew, to render the old version.
    recopy = functools.partial(copier.run_recopy, service, defaults=True, overwrite=True, quiet=True)
    recopy()
    assert tree(service) == before
    with pytest.raises(ValueError, match="is the network of Docker"):
        recopy(data={"vpc_cidr": "172.17.0.0/20"})
