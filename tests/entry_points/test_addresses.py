"""Each environment has a block of addresses of its own, which no other environment moves."""

from __future__ import annotations

import hashlib
import ipaddress
import itertools
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from scaffold.core.errors import ScaffoldError
from scaffold.kit.refusal import AnswerRefused
from scaffold.kit.rendering import open_kit
from tests.kits import kit_repository

DOCKER = ipaddress.ip_network("172.17.0.0/16")
Settings = Callable[..., list[dict[str, Any]]]


@pytest.fixture(scope="module")
def settings() -> Iterator[Settings]:
    """The settings of each environment for answers."""
    with open_kit(str(kit_repository())) as kit:
        questions = kit.questionnaire()
        yield lambda **answers: questions.evaluate({"app_name": "hello-service", **answers}).all["environment_settings"]


def refusal(settings: Settings, **answers: Any) -> str:
    with pytest.raises(ScaffoldError) as refused:
        settings(**answers)
    return refused.value.happened + refused.value.remedy


@pytest.mark.slow
def test_an_environment_keeps_its_block(settings: Settings) -> None:
    def blocks(**answers: Any) -> dict[str, str]:
        return {one["name"]: one["vpc_cidr"] for one in settings(**answers)}

    alone = {name: blocks(environments=name)[name] for name in ("dev", "prod", "qa", "dr")}
    for order in (("dev", "prod"), ("qa", "dev", "prod"), ("prod", "dr", "dev", "qa")):
        assert blocks(environments=",".join(order), production="prod") == {name: alone[name] for name in order}
    assert blocks(environments="dev", app_name="other-service")["dev"] != alone["dev"]


def test_blocks_can_be_joined_with_other_networks(settings: Settings) -> None:
    for app in ("orders", "billing", "a-b-c"):
        for one in settings(environments="dev,staging,prod,qa,dr", app_name=app, production="prod"):
            network = ipaddress.ip_network(one["vpc_cidr"])
            assert network.prefixlen == 20
            assert network.subnet_of(ipaddress.ip_network("10.0.0.0/8"))  # type: ignore[arg-type]
            assert not network.overlaps(ipaddress.ip_network("10.0.0.0/16"))
            assert not network.overlaps(DOCKER)


def colliding() -> tuple[str, str]:
    """Two environments of hello-service with the same block."""
    known: dict[int, str] = {}
    for letters in itertools.product("abcdefghij", repeat=3):
        name = "".join(letters)
        number = int(hashlib.sha256(f"hello-service/{name}".encode()).hexdigest()[:8], 16) % 4080
        if number in known:
            return known[number], name
        known[number] = name
    raise AssertionError


def test_overlapping_blocks_are_refused_with_the_override_to_give(settings: Settings) -> None:
    first, second = colliding()
    with pytest.raises(AnswerRefused):
        settings(environments=f"{first},{second}")
    told = refusal(settings, environments=f"{first},{second}")
    assert f"The VPCs of {first} (" in told
    override = re.search(r"for example (\{.*?\}\})", told)
    assert override
    accepted = settings(environments=f"{first},{second}", environment_overrides=override[1])
    assert len({one["vpc_cidr"] for one in accepted}) == 2


@pytest.mark.parametrize("cidr", ["10.0.0.0/16", "192.168.4.0/22"])
def test_one_answer_for_all_environments_may_overlap(settings: Settings, cidr: str) -> None:
    assert {one["vpc_cidr"] for one in settings(vpc_cidr=cidr)} == {cidr}


@pytest.mark.parametrize(("cidr", "most"), [("10.7.0.0/24", 19), ("10.7.0.0/23", 51)])
def test_a_network_too_small_for_a_release_is_refused(settings: Settings, cidr: str, most: int) -> None:
    def answers(tasks: int) -> dict[str, Any]:
        return {"environment_overrides": {"prod": {"max_tasks": tasks, "vpc_cidr": cidr}}}

    assert settings(**answers(most))[-1]["vpc_cidr"] == cidr
    assert f"max_tasks is at most {most}" in refusal(settings, **answers(most + 1))


def test_only_the_first_of_several_environments_runs_on_spot(settings: Settings) -> None:
    def spot(**answers: Any) -> list[Any]:
        return [one["spot"] for one in settings(**answers)]

    assert spot() == [True, False, False]
    assert spot(environments="live") == [False]
    assert spot(environments="prod,dr", production="prod") == [False, False]
    overrides = {"prod": {"spot": "above_first"}, "dev": {"spot": False}}
    assert spot(environment_overrides=overrides) == [False, False, "above_first"]
