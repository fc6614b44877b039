"""What Application Load Balancers publish about a minute.

Names, dimensions and reporting criteria are those of "CloudWatch metrics for your Application Load Balancer". Counts of
hosts, of requests and of the answers of targets are reported while there are registered targets, the others where they
are not zero.
"""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Iterator, Mapping

from scaffold.engine.balancer.traffic import Hosts, Minute, Tally
from scaffold.engine.metrics.samples import Samples
from scaffold.engine.metrics.store import Metric

NAMESPACE = "AWS/ApplicationELB"
_CLASSES = (2, 3, 4, 5)

#: A metric with its values and its unit.
Published = tuple[Metric, Samples, str]


def published(minute: Minute) -> Iterator[Published]:
    """The metrics of all load balancers."""
    balancers: dict[str, list[Tally]] = {}
    for (load_balancer, group), tally in minute.tallies.items():
        balancers.setdefault(load_balancer, []).append(tally)
        yield from _of_group(load_balancer, group, tally)
    for load_balancer, tallies in balancers.items():
        dimensions = {"LoadBalancer": name_of(load_balancer)}
        yield from _of_requests(_region_of(load_balancer), dimensions, tallies)
    for load_balancer, statuses in minute.own_answers.items():
        dimensions = {"LoadBalancer": name_of(load_balancer)}
        for number in _CLASSES[1:]:
            if times := _answers([statuses], number):
                name = f"HTTPCode_ELB_{number}XX_Count"
                yield _count(_region_of(load_balancer), name, dimensions, times)


def name_of(arn: str) -> str:
    """The value of the dimension of a load balancer or target group."""
    return arn.rpartition(":")[2].removeprefix("loadbalancer/")


def _region_of(arn: str) -> str:
    return arn.split(":")[3]


def _of_group(load_balancer: str, group: str, tally: Tally) -> Iterator[Published]:
    region, target_group = _region_of(group), {"TargetGroup": name_of(group)}
    dimensions = {"LoadBalancer": name_of(load_balancer), **target_group}
    yield from _of_requests(region, dimensions, [tally])
    if not _registered([tally]):
        return
    for name, counts in (
        ("HealthyHostCount", [hosts.healthy for hosts in tally.hosts if hosts.registered]),
        ("UnHealthyHostCount", [hosts.unhealthy for hosts in tally.hosts if hosts.registered]),
    ):
        yield Metric.of(region, NAMESPACE, name, dimensions), Samples.of(_times(counts)), "Count"
    for each in (target_group, dimensions):
        yield _count(region, "RequestCountPerTarget", each, tally.requests / _receiving(tally.hosts[-1]))


def _receiving(hosts: Hosts) -> int:
    """The targets that get requests: the healthy ones, or all registered ones if none is healthy."""
    return hosts.healthy or hosts.registered or 1


def _of_requests(region: str, dimensions: Mapping[str, str], tallies: list[Tally]) -> Iterator[Published]:
    registered = _registered(tallies)
    counts = {"RequestCount": sum(tally.requests for tally in tallies)}
    for number in _CLASSES:
        counts[f"HTTPCode_Target_{number}XX_Count"] = _answers([tally.statuses for tally in tallies], number)
    for name, times in counts.items():
        if times or registered:
            yield _count(region, name, dimensions, times)
    if refused := sum(tally.refused for tally in tallies):
        yield _count(region, "TargetConnectionErrorCount", dimensions, refused)
    seconds: Counter[float] = sum((tally.seconds for tally in tallies), Counter())
    if seconds:
        metric = Metric.of(region, NAMESPACE, "TargetResponseTime", dimensions)
        yield metric, Samples.of(seconds), "Seconds"


def _registered(tallies: list[Tally]) -> bool:
    return any(hosts.registered for tally in tallies for hosts in tally.hosts)


def _answers(statuses: list[Counter[int]], number: int) -> int:
    """How many answers have a status code that begins with a number."""
    return sum(times for one in statuses for status, times in one.items() if status // 100 == number)


def _count(region: str, name: str, dimensions: Mapping[str, str], value: float) -> Published:
    return Metric.of(region, NAMESPACE, name, dimensions), _single(float(value)), "Count"


@functools.lru_cache
def _single(value: float) -> Samples:
    """One value. Most of the many samples of a quiet service are the same, and are kept once."""
    return Samples.of({value: 1})


def _times(counts: list[int]) -> Mapping[float, float]:
    return {float(value): float(times) for value, times in Counter(counts).items()}
