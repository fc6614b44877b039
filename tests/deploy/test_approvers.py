"""Who may decide about a release, as the deployed foundation says."""

from __future__ import annotations

import pytest

from scaffold.aws.cloudformation.stacks import Stack
from scaffold.core.errors import ScaffoldError
from scaffold.deployment import approvers
from scaffold.service.service import Service, read
from tests.deploy.services import make_service

ACCOUNT = "123456789012"
PATTERNS = "arn:*:iam::*:role/Releasers,arn:*:iam::*:role/*/Releasers,arn:*:iam::*:role/Leads,arn:*:iam::*:role/*/Leads"


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Service:
    return read(make_service(tmp_path_factory.mktemp("approvers") / "shop", "shop"))


def foundation(**parameters: str) -> dict[str, Stack]:
    return {"shop-foundation": Stack("id", "shop-foundation", "CREATE_COMPLETE", parameters, {}, {}, None)}


@pytest.mark.parametrize("stacks", [{}, foundation(), foundation(Approvers="*")], ids=["none", "older", "all"])
def test_without_the_answer_everybody_decides(shop: Service, stacks: dict[str, Stack]) -> None:
    assert approvers.roles(shop, stacks) == ()
    approvers.check_caller(shop, f"arn:aws:iam::{ACCOUNT}:root", stacks)


@pytest.mark.parametrize("session", ["assumed-role/Releasers/ada", "assumed-role/Leads/bob@example.com"])
def test_an_approver_decides(shop: Service, session: str) -> None:
    stacks = foundation(Approvers=PATTERNS)
    assert approvers.roles(shop, stacks) == ("Releasers", "Leads")
    approvers.check_caller(shop, f"arn:aws-us-gov:sts::{ACCOUNT}:{session}", stacks)


@pytest.mark.parametrize(
    "caller",
    [
        f"arn:aws:sts::{ACCOUNT}:assumed-role/Developers/Releasers",
        f"arn:aws:sts::{ACCOUNT}:assumed-role/Releasers-two/ada",
        f"arn:aws:iam::{ACCOUNT}:user/Releasers",
        f"arn:aws:iam::{ACCOUNT}:root",
    ],
)
def test_somebody_else_is_refused_with_the_names_of_the_roles(shop: Service, caller: str) -> None:
    with pytest.raises(ScaffoldError) as refused:
        approvers.check_caller(shop, caller, foundation(Approvers=PATTERNS))
    happened = f"{caller} may not decide about releases of shop: only the roles Releasers, Leads may."
    assert (refused.value.happened, "--profile NAME" in refused.value.remedy) == (happened, True)
