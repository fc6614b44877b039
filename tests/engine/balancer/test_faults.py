"""Faults that load balancers inject between a client and a target that is in order."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator

import pytest

from scaffold.core.faults import Fault
from tests.engine.balancer.test_balancers import DEFAULT, World


@pytest.fixture
def world() -> Iterator[World]:
    made = World()
    made.configure(DEFAULT, g=[made.target("blue")])
    made.wait_for("g", "healthy")
    yield made
    made.balancers.stop()
    for target in made.targets:
        target.close()


def test_a_share_of_the_requests_gets_errors(world: World) -> None:
    world.balancers.set_fault("127.0.0.1", Fault(errors=0.5))
    found = Counter(world.ask()[0] for _ in range(100))
    assert found == {200: 50, 500: 50}
    assert world.ask(method="POST", body=b"x" * 200_000) in {(201, b"x" * 200_000), (500, b"")}
    assert world.states("g") == ["healthy"]  # Health checks are not concerned.
    world.balancers.set_fault("127.0.0.1", None)
    assert Counter(world.ask()[0] for _ in range(20)) == {200: 20}


@pytest.mark.slow
def test_answers_come_late(world: World) -> None:
    world.balancers.set_fault("127.0.0.1", Fault(latency=0.5))
    begun = time.monotonic()
    assert world.ask() == (200, b"blue")
    assert time.monotonic() - begun >= 0.45
    assert world.ask("/chunks") == (200, b"onetwo")
    assert world.ask(method="POST", body=b"ab" * 100_000) == (201, b"ba" * 100_000)


def test_health_checks_fail(world: World) -> None:
    world.balancers.set_fault("127.0.0.1", Fault(unhealthy=True))
    world.wait_for("g", "unhealthy")
    assert [one.description for one in world.balancers.health("g").values()] == [
        "Health checks failed with these codes: [503]"
    ]
    world.balancers.set_fault("127.0.0.1", None)
    world.wait_for("g", "healthy")
