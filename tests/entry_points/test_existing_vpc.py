"""An existing VPC is an answer: for all environments, or for some of them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from pytest_cookies.plugin import Cookies

from scaffold.commands import new
from scaffold.commands.new import NewOptions
from scaffold.console.console import Console
from scaffold.core.errors import ScaffoldError
from scaffold.kit.rendering import open_kit
from tests.entry_points.entry_points import cookiecutter_context, text
from tests.infrastructure.variants import EXISTING, EXISTING_VPC, PRIVATE_SUBNETS, PUBLIC_SUBNETS
from tests.kits import generate, kit_repository

Evaluate = Callable[..., dict[str, Any]]
PUBLIC = {"vpc_id": EXISTING_VPC, "public_subnet_ids": PUBLIC_SUBNETS}
A, B = PUBLIC_SUBNETS.split(",")
OTHER = {"vpc_id": "vpc-12345678", "public_subnet_ids": "subnet-12345678, subnet-12345679"}


@pytest.fixture(scope="module")
def evaluate() -> Iterator[Evaluate]:
    """All answers, the computed ones too."""
    with open_kit(str(kit_repository())) as kit:
        questions = kit.questionnaire()
        yield lambda **answers: questions.evaluate({"app_name": "orders-api", **answers}).all


def places(answers: dict[str, Any]) -> dict[str, tuple[str, str, str, str]]:
    """VPC, public and private subnets and egress of each environment."""
    return {
        one["name"]: (one["vpc_id"], one["public_subnet_ids"], one["private_subnet_ids"], one["egress"])
        for one in answers["environment_settings"]
    }


OWN = ("", "", "", "public_ip")
IN_PUBLIC = (EXISTING_VPC, PUBLIC_SUBNETS, "", "public_ip")
IN_PRIVATE = (EXISTING_VPC, PUBLIC_SUBNETS, PRIVATE_SUBNETS.replace(" ", ""), "vpc_routes")
ELSEWHERE = ("vpc-12345678", "subnet-12345678,subnet-12345679", "", "public_ip")


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        ({}, [OWN, OWN]),
        (PUBLIC, [IN_PUBLIC, IN_PUBLIC]),
        (EXISTING, [IN_PRIVATE, IN_PRIVATE]),
        ({"environment_overrides": {"prod": EXISTING}}, [OWN, IN_PRIVATE]),
        ({**EXISTING, "environment_overrides": {"dev": {"vpc_id": ""}}}, [OWN, IN_PRIVATE]),
        # The subnets belong to the VPC: another one comes with its own.
        ({**EXISTING, "environment_overrides": {"dev": OTHER}}, [ELSEWHERE, IN_PRIVATE]),
        ({**EXISTING, "environment_overrides": {"dev": {"private_subnet_ids": ""}}}, [IN_PUBLIC, IN_PRIVATE]),
        (
            {**PUBLIC, "environment_overrides": {"dev": {"private_subnet_ids": PRIVATE_SUBNETS}}},
            [IN_PRIVATE, IN_PUBLIC],
        ),
    ],
)
def test_each_environment_is_where_its_answers_say(
    evaluate: Evaluate, answers: dict[str, Any], expected: list[tuple[str, ...]]
) -> None:
    found = evaluate(environments="dev,prod", **answers)
    assert list(places(found).values()) == expected
    for one in found["environment_settings"]:
        assert bool(one["vpc_cidr"]) is not bool(one["vpc_id"])


def test_a_vpc_of_its_own_beside_an_existing_one_has_own_settings(evaluate: Evaluate) -> None:
    own = {"vpc_id": "", "egress": "nat_gateway", "vpc_cidr": "10.9.0.0/24"}
    dev, _ = evaluate(environments="dev,prod", **EXISTING, environment_overrides={"dev": own})["environment_settings"]
    assert (dev["egress"], dev["vpc_cidr"]) == ("nat_gateway", "10.9.0.0/24")


def test_the_estimate_counts_what_the_service_creates(evaluate: Evaluate) -> None:
    def network(**answers: Any) -> list[str]:
        (part,) = evaluate(environments="prod", **answers)["monthly_costs"]["environments"]
        return [line["name"] for line in part["lines"] if line["kind"] == "network"]

    assert network(**EXISTING) == ["Load balancer", "Public IPv4 addresses, 2"]
    assert network(**PUBLIC) == ["Load balancer", "Public IPv4 addresses, 4"]
    third = {"public_subnet_ids": f"{PUBLIC_SUBNETS},subnet-12345678"}
    assert network(**EXISTING | third) == ["Load balancer", "Public IPv4 addresses, 3"]


def overrides(**settings: Any) -> dict[str, Any]:
    return {"environment_overrides": {"prod": settings}}


SEVENTEEN = ",".join(f"subnet-{number:08x}" for number in range(17))
NO_SUBNET, EMPTY = "which is no ID of a subnet; correct it, for example subnet-", "public_subnet_ids is empty; name"
POSTGRES = {"database": "postgres"}
REFUSED: list[tuple[dict[str, Any], str]] = [
    *(
        ({**PUBLIC, "vpc_id": value}, "vpc_id is empty or the ID of one VPC, for example vpc-0")
        for value in ("vpc-1", "VPC-12345678", "vpc-12345678,vpc-12345679", "subnet-12345678", "vpc-12345678\n", " ")
    ),
    *(
        ({**PUBLIC, "public_subnet_ids": value}, NO_SUBNET)
        for value in (f"{A};{B}", f"{A},vpc-12345678", f"{A},{B}\n")
    ),
    ({**PUBLIC, "public_subnet_ids": ""}, EMPTY),
    ({**PUBLIC, "public_subnet_ids": A}, "has one subnet, and a load balancer needs two"),
    ({**PUBLIC, "public_subnet_ids": f"{A},"}, "has nothing as item 2 of 2"),
    ({**PUBLIC, "public_subnet_ids": SEVENTEEN}, "has 17 items, and at most 16 are allowed"),
    ({"vpc_id": EXISTING_VPC}, EMPTY),
    ({**PUBLIC, "public_subnet_ids": f"{A}, {A}"}, f"has '{A}' twice"),
    ({**PUBLIC, "private_subnet_ids": "subnet-12345678"}, "private_subnet_ids has one subnet"),
    ({**PUBLIC, "private_subnet_ids": f"{B},subnet-12345678"}, "has a public subnet among the private ones"),
    ({"public_subnet_ids": PUBLIC_SUBNETS}, "public_subnet_ids"),
    ({"private_subnet_ids": PRIVATE_SUBNETS}, "private_subnet_ids"),
    ({**PUBLIC, "egress": "nat_gateway"}, "egress"),
    ({**PUBLIC, "vpc_cidr": "10.0.0.0/16"}, "vpc_cidr"),
    (overrides(vpc_id=EXISTING_VPC), "environment_overrides.prod needs the public subnets of vpc-0123456789abcdef0"),
    (overrides(vpc_id=7), "environment_overrides.prod.vpc_id is empty or the ID of one VPC"),
    (overrides(vpc_id=EXISTING_VPC, public_subnet_ids=[A, B]), "prod.public_subnet_ids is no text; give"),
    (overrides(public_subnet_ids=PUBLIC_SUBNETS), "belongs to an existing VPC, and prod has none"),
    (overrides(vpc_id="", private_subnet_ids=PRIVATE_SUBNETS), "belongs to an existing VPC, and prod has none"),
    (overrides(**PUBLIC, egress="nat_gateway"), "overrides.prod.egress belongs to VPCs that the service creates"),
    ({**PUBLIC, **overrides(vpc_cidr="10.0.0.0/16")}, "vpc_id: ''"),
    ({**PUBLIC, **POSTGRES}, "dev has none in vpc-0123456789abcdef0; name them, for example private_subnet_ids="),
    ({**POSTGRES, **overrides(**PUBLIC)}, "prod has none in vpc-0123456789abcdef0; name them, for example {prod:"),
    ({**EXISTING, **POSTGRES, **overrides(private_subnet_ids="")}, "in private subnets only, and prod has none"),
]  # fmt: skip


@pytest.mark.parametrize(("answers", "words"), REFUSED, ids=str)
def test_refused(evaluate: Evaluate, answers: dict[str, Any], words: str) -> None:
    with pytest.raises(ScaffoldError) as refused:
        evaluate(**answers)
    assert words in refused.value.happened


@pytest.mark.parametrize(
    ("answers", "words"),
    [
        pytest.param({"vpc_id": EXISTING_VPC}, EMPTY, marks=pytest.mark.slow),
        ({"public_subnet_ids": PUBLIC_SUBNETS}, "belongs to vpc_id, which is empty"),
        pytest.param(
            {**PUBLIC, "vpc_cidr": "10.0.0.0/16"}, "belongs to VPCs that the service creates", marks=pytest.mark.slow
        ),
        pytest.param(overrides(vpc_id=EXISTING_VPC), "needs the public subnets", marks=pytest.mark.slow),
    ],
    ids=str,
)
def test_every_entry_point_refuses(
    answers: dict[str, Any], words: str, tmp_path: Path, cookies: Cookies, capfd: Any
) -> None:
    with pytest.raises(ValueError, match=words):
        generate(tmp_path / "copier", **answers)
    given = {name: text(value) for name, value in {"app_name": "orders-api", **answers}.items()}
    with pytest.raises(ScaffoldError):
        new.run(
            NewOptions(tmp_path / "scaffold", given, defaults=True, kit=str(kit_repository()), deploy=False), Console()
        )
    capfd.readouterr()
    baked = cookies.bake(
        extra_context=cookiecutter_context({"app_name": "orders-api", **answers}), template=str(kit_repository())
    )
    assert baked.exception is not None
    assert words in " ".join(capfd.readouterr().err.split())
    assert not list(tmp_path.glob("*/infrastructure"))


@pytest.mark.parametrize("where", ["all", "prod"])
def test_only_environments_with_a_vpc_of_their_own_have_a_network_stack(where: str, tmp_path: Path) -> None:
    answers = EXISTING if where == "all" else {"environment_overrides": {"prod": EXISTING}}
    service = generate(tmp_path / "service", environments="dev,prod", **answers)
    folder = service / "infrastructure"
    found = {str(path.relative_to(folder)) for path in folder.rglob("network*")}
    assert found == (set() if where == "all" else {"network.yaml", "dev/network.json"})
    parameters = json.loads((folder / "prod/environment.json").read_text())["Parameters"]
    assert (parameters["VpcId"], parameters["PublicSubnetIds"]) == (EXISTING_VPC, PUBLIC_SUBNETS)
    recorded = yaml.safe_load((service / ".copier-answers.yml").read_text())
    assert recorded["customize"] is True
    readme = (service / "README.md").read_text()
    assert f"Prod is in `{EXISTING_VPC}`" in readme
    assert ("Dev is in" in readme) is (where == "all")
    assert ("network.yaml" in readme) is (where != "all")
    given = {
        name: text(value) for name, value in {"app_name": "orders-api", "environments": "dev,prod", **answers}.items()
    }
    options = NewOptions(
        tmp_path / "other", given, defaults=True, kit=str(kit_repository()), deploy=False, dry_run=True
    )
    stacks = new.run(options, Console()).stacks
    assert [name for name in stacks if name.endswith("-network")] == (
        [] if where == "all" else ["orders-api-dev-network"]
    )
