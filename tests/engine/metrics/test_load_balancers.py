"""What load balancers publish: names, dimensions, values, and when there is no data."""

from __future__ import annotations

import contextlib
import http.client
import socket
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from scaffold.engine.balancer.balancers import Balancers
from scaffold.engine.balancer.configuration import read
from scaffold.engine.balancer.traffic import Hosts, Minute, Tally, Traffic
from scaffold.engine.clock import Clock
from scaffold.engine.metrics.load_balancers import published
from scaffold.engine.metrics.samples import Samples
from tests.engine.balancer.test_balancers import GROUP, Target

ARN = "arn:aws:elasticloadbalancing:us-east-1:000000000000"
BALANCER, GROUP_ARN = f"{ARN}:loadbalancer/app/shop/1", f"{ARN}:targetgroup/shop/2"
OTHER = f"{ARN}:targetgroup/other/3"
LOAD_BALANCER, TARGET_GROUP = ("LoadBalancer", "app/shop/1"), ("TargetGroup", "targetgroup/shop/2")
OF_GROUP = (LOAD_BALANCER, TARGET_GROUP)


@dataclass(frozen=True)
class ClockAt(Clock):
    """A clock at a fixed moment."""

    moment: float = 90.0

    def now(self) -> float:
        return self.moment


def values(minute: Minute) -> dict[tuple[Any, ...], Samples]:
    """Samples by the metric's name and its dimensions."""
    found = list(published(minute))
    assert {(metric.region, metric.namespace) for metric, _, _ in found} <= {("us-east-1", "AWS/ApplicationELB")}
    return {(metric.name, *metric.dimensions): samples for metric, samples, _ in found}


def test_the_metrics_of_a_target_group_and_its_load_balancer() -> None:
    own = Tally(10, 2, Counter({200: 4, 204: 1, 404: 1, 500: 2}), Counter({0.1: 7, 3.0: 1}), [Hosts(3, 2, 1)])
    other = Tally(5, 0, Counter({200: 5}), Counter({0.2: 5}), [Hosts(1, 1, 0)])
    minute = Minute(
        {(BALANCER, GROUP_ARN): own, (BALANCER, OTHER): other}, {BALANCER: Counter({503: 2, 502: 1, 404: 4})}
    )
    found = values(minute)
    sums = {key: samples.total for key, samples in found.items()}
    for name, of_group, of_balancer in (
        ("RequestCount", 10, 15),
        ("HTTPCode_Target_2XX_Count", 5, 10),
        ("HTTPCode_Target_3XX_Count", 0, 0),
        ("HTTPCode_Target_4XX_Count", 1, 1),
        ("HTTPCode_Target_5XX_Count", 2, 2),
        ("TargetConnectionErrorCount", 2, 2),
    ):
        assert (sums[name, *OF_GROUP], sums[name, LOAD_BALANCER]) == (of_group, of_balancer), name
    assert (sums["HTTPCode_ELB_5XX_Count", LOAD_BALANCER], sums["HTTPCode_ELB_4XX_Count", LOAD_BALANCER]) == (3, 4)
    assert sums["RequestCountPerTarget", TARGET_GROUP] == sums["RequestCountPerTarget", *OF_GROUP] == 5
    assert (sums["HealthyHostCount", *OF_GROUP], sums["UnHealthyHostCount", *OF_GROUP]) == (2, 1)
    assert found["TargetResponseTime", *OF_GROUP].statistic("p50") == 0.1
    assert found["TargetResponseTime", LOAD_BALANCER].count == 13
    assert {unit for metric, _, unit in published(minute) if metric.name == "TargetResponseTime"} == {"Seconds"}


def test_without_requests_only_counts_of_registered_targets_are_reported() -> None:
    found = values(Minute({(BALANCER, GROUP_ARN): Tally(hosts=[Hosts(1, 0, 0)])}))
    classes = [f"HTTPCode_Target_{number}XX_Count" for number in (2, 3, 4, 5)]
    both = {(name, *dimensions) for name in ("RequestCount", *classes) for dimensions in (OF_GROUP, (LOAD_BALANCER,))}
    hosts = {(name, *OF_GROUP) for name in ("HealthyHostCount", "UnHealthyHostCount", "RequestCountPerTarget")}
    assert set(found) == both | hosts | {("RequestCountPerTarget", TARGET_GROUP)}
    assert {samples.total for samples in found.values()} == {0}


def test_without_registered_targets_nothing_is_reported() -> None:
    assert values(Minute({(BALANCER, GROUP_ARN): Tally(hosts=[Hosts(0, 0, 0)])})) == {}
    found = values(Minute({}, {BALANCER: Counter({503: 7, 200: 1})}))
    assert {key: samples.total for key, samples in found.items()} == {("HTTPCode_ELB_5XX_Count", LOAD_BALANCER): 7}


def test_the_targets_of_a_minute_are_those_at_its_start_and_after_each_change() -> None:
    at = {"now": 30.0}

    class Moving(Clock):
        def now(self) -> float:
            return at["now"]

    traffic, pair = Traffic(Moving()), (BALANCER, GROUP_ARN)
    traffic.count_hosts(pair, Hosts(2, 2, 0))
    at["now"] = 3 * 60 + 1.0
    traffic.count_hosts(pair, Hosts(2, 1, 1))
    traffic.count_hosts(pair, Hosts(2, 1, 1))
    found = [[hosts.healthy for hosts in traffic.take(minute).tallies[pair].hosts] for minute in (0, 1, 2, 3, 4)]
    assert found == [[2], [2], [2], [2, 1], [1]]
    traffic.keep(set())
    assert traffic.take(5).tallies == {}


@pytest.fixture
def target() -> Iterator[Target]:
    made = Target("one")
    yield made
    made.close()


def test_the_traffic_of_a_load_balancer_is_counted(target: Target) -> None:
    """Answers, failures and refused connections, with a real client and a real target."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        groups = [(GROUP_ARN, target.port), (OTHER, closed.getsockname()[1])]
        balancers = Balancers(ClockAt())
        forward = [
            {
                "ListenerArn": "listener",
                "Priority": priority,
                "Conditions": [{"Field": "path-pattern", "Values": [path]}] if path else [],
                "Actions": [action],
            }
            for priority, path, action in (
                ("1", "/refused", {"Type": "forward", "TargetGroupArn": OTHER}),
                ("2", "/fixed", {"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "503"}}),
                ("default", "", {"Type": "forward", "TargetGroupArn": GROUP_ARN}),
            )
        ]
        listener = {"ListenerArn": "listener", "LoadBalancerArn": BALANCER, "Port": 80, "Protocol": "HTTP"}
        described = [
            ({"TargetGroupArn": arn, **GROUP}, [], [{"Id": "127.0.0.1", "Port": port}]) for arn, port in groups
        ]
        port = balancers.reserve(BALANCER)
        balancers.configure("us-east-1", read([{"LoadBalancerArn": BALANCER}], [listener], forward, described))
        for path in ("/", "/", "/broken", "/refused", "/fixed"):
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
            with contextlib.closing(connection):
                connection.request("GET", path)
                connection.getresponse().read()
        with socket.create_connection(("127.0.0.1", port), timeout=30) as malformed:
            malformed.sendall(b"not HTTP\r\n\r\n")
            assert malformed.recv(1000).startswith(b"HTTP/1.1 400")
        minute = balancers.traffic(1)
        balancers.stop()
    own, refused = minute.tallies[BALANCER, GROUP_ARN], minute.tallies[BALANCER, OTHER]
    assert (own.requests, own.refused, dict(own.statuses), own.seconds.total()) == (3, 0, {200: 2}, 2)
    assert (refused.requests, refused.refused, dict(refused.statuses)) == (1, 1, {})
    assert minute.own_answers == {BALANCER: Counter({502: 2, 503: 1, 400: 1})}
    assert {hosts.registered for hosts in own.hosts} == {1}
