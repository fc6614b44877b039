"""Answers that are lists: a refusal names the item, the reason and what was probably meant."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from scaffold.core.errors import UsageError
from scaffold.kit.rendering import open_kit
from tests.kits import kit_repository

Refusal = Callable[..., str]
THREE = {"customize": True, "environments": "dev,staging,prod"}
BRANCHES = {**THREE, "promotion": "branches"}
SUBNET = "subnet-0123456789abcdef0"
VPC = {"customize": True, "vpc_id": "vpc-0123456789abcdef0"}
CUSTOM = {"customize": True}
# A list with the answers beside it, an item that is good, and one that is not.
LISTS: dict[str, tuple[dict[str, Any], str, str]] = {
    "environments": ({}, "dev", "Prod"),
    "reviewers": (CUSTOM, "Leads", "a/path"),
    "approvers": (CUSTOM, "Leads", "a/path"),
    "build_secrets": (CUSTOM, "NPM_TOKEN", "npm-token"),
    "public_subnet_ids": (VPC, SUBNET, "subnet-1"),
    "private_subnet_ids": ({**VPC, "public_subnet_ids": f"{SUBNET},{SUBNET[:-1]}1"}, SUBNET, "subnet-1"),
    "build_subnet_ids": ({**CUSTOM, "build_network": "vpc", "build_vpc_id": "vpc-12345678"}, SUBNET, "subnet-1"),
    "auto_promote": (BRANCHES, "staging", "dev"),
    "freezes": (CUSTOM, "2026-12-20..2027-01-02", "2026-02-30..2026-03-01"),
}


@pytest.fixture(scope="module")
def said() -> Iterator[Refusal]:
    """What the rules of the questions say about answers."""
    with open_kit(str(kit_repository())) as kit:
        questions = kit.questionnaire()

        def refusal(**answers: Any) -> str:
            with pytest.raises(UsageError) as raised:
                questions.evaluate({"app_name": "orders-api", **answers})
            return raised.value.happened

        yield refusal


@pytest.mark.parametrize("name", LISTS)
def test_a_refused_list_names_the_item_and_the_reason(said: Refusal, name: str) -> None:
    others, good, bad = LISTS[name]

    def of(value: str) -> str:
        return said(**others, **{name: value})

    assert f"{name} has '{bad}', which is no " in of(f"{good},{bad}")
    assert f"{name} has '{good}' twice" in of(f"{good},{good}")
    assert f"{name} has nothing as item 2 of 2" in of(f"{good},")
    # What cannot be shown in one line is counted.
    for hostile in ("x\ny", "\x1b[31m", "\x7f", "a; b", "{{ 7 * 7 }}", "é" * 50):
        assert f"{name} has item 2, which is no " in of(f"{good},{hostile}"), hostile


@pytest.mark.parametrize(
    ("answers", "words"),
    [
        (
            {**BRANCHES, "auto_promote": "stagin"},
            "'stagin', which is no environment after the first; did you mean staging?",
        ),
        ({**BRANCHES, "auto_promote": "Staging"}, "did you mean staging?"),
        ({**BRANCHES, "auto_promote": "elsewhere"}, "; correct it, for example staging."),
        ({**THREE, "production": "prd"}, "did you mean prod?"),
        ({**THREE, "load_test": "stagign"}, "did you mean staging?"),
        ({**THREE, "load_test": "elsewhere"}, "name an environment before production, for example staging"),
        ({"environments": ""}, "environments is empty; name one or several"),
        ({"environments": ",".join(f"env{one}" for one in range(9))}, "has 9 items, and at most 8 are allowed"),
        ({"environments": "dev,all"}, "environments has 'all', and may not be named"),
        ({**CUSTOM, "build_secrets": "A,AWS_PROFILE"}, "build_secrets has 'AWS_PROFILE', which builds, shells or AWS"),
        ({**VPC, "public_subnet_ids": SUBNET}, "has one subnet, and a load balancer needs two"),
    ],
)
def test_a_refusal_says_what_was_probably_meant(said: Refusal, answers: dict[str, Any], words: str) -> None:
    assert words in said(**answers)
