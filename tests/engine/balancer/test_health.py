"""The health of targets, by the documentation of Application Load Balancers."""

from __future__ import annotations

import pytest

from scaffold.engine.balancer.health import FAILED, Checks, TargetHealth, describe, observe, problem_of

CHECKS = Checks("/health", "traffic-port", 10, 5, 3, 2, "200-299,301")


def after(state: str, *results: bool) -> TargetHealth:
    health = TargetHealth("healthy", "", "") if state == "healthy" else describe("initial")
    if state == "unhealthy":
        health = TargetHealth("unhealthy", *FAILED)
    for number, good in enumerate(results):
        health = observe(health, None if good else FAILED, CHECKS, number * CHECKS.interval)
    return health


@pytest.mark.parametrize(
    ("state", "results", "expected"),
    [
        ("initial", [True], "healthy"),  # A registered target needs one success only.
        ("initial", [False], "initial"),
        ("initial", [False, False], "unhealthy"),
        ("initial", [False, True], "healthy"),
        ("healthy", [False], "healthy"),
        ("healthy", [False, True, False], "healthy"),
        ("healthy", [False, False], "unhealthy"),
        ("unhealthy", [True, True], "unhealthy"),
        ("unhealthy", [True, True, True], "healthy"),
        ("unhealthy", [True, True, False, True], "unhealthy"),
    ],
)
def test_thresholds(state: str, results: list[bool], expected: str) -> None:
    assert after(state, *results).state == expected


def test_an_initial_target_has_the_time_of_its_threshold_however_often_it_is_checked() -> None:
    health = describe("initial")
    for second in range(10):
        health = observe(health, FAILED, CHECKS, second)
        assert health.state == "initial"
    assert observe(health, FAILED, CHECKS, 10).state == "unhealthy"


def test_a_draining_target_stays_so() -> None:
    assert observe(describe("draining"), None, CHECKS, 0) == describe("draining")


@pytest.mark.parametrize(("status", "good"), [(200, True), (299, True), (300, False), (301, True), (500, False)])
def test_the_matcher(status: int, good: bool) -> None:
    assert (problem_of(status, CHECKS) is None) is good
