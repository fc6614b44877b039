"""Counts what happens at load balancers, minute by minute. All of it runs in their event loop."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from scaffold.engine.clock import Clock

_MINUTE = 60
_MILLISECOND = 3

#: A load balancer and one of its target groups.
Pair = tuple[str, str]


@dataclass(frozen=True)
class Hosts:
    """The targets of a target group, without those that are being deregistered."""

    registered: int
    healthy: int
    unhealthy: int


@dataclass
class Tally:
    """What happened to the requests for a target group.

    Attributes:
        requests: Those for which a target was chosen, once they are answered or have failed.
        refused: Connections that were not established.
        statuses: The answers of targets, by their status code.
        seconds: The times until targets began to answer, to the millisecond.
        hosts: The targets at the beginning and after each change.
    """

    requests: int = 0
    refused: int = 0
    statuses: Counter[int] = field(default_factory=Counter)
    seconds: Counter[float] = field(default_factory=Counter)
    hosts: list[Hosts] = field(default_factory=list)


@dataclass
class Minute:
    """What happened in a minute.

    Attributes:
        own_answers: The answers of each load balancer itself, by their status code.
    """

    tallies: dict[Pair, Tally] = field(default_factory=dict)
    own_answers: dict[str, Counter[int]] = field(default_factory=dict)


class Traffic:
    """What happens at all load balancers.

    Args:
        clock: Passes the minutes.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._minutes: dict[int, Minute] = {}
        self._hosts: dict[Pair, Hosts] = {}

    def count_answer(self, pair: Pair, status: int, seconds: float) -> None:
        """Count a request that a target has answered."""
        tally = self._tally(pair)
        tally.requests += 1
        tally.statuses[status] += 1
        tally.seconds[round(seconds, _MILLISECOND)] += 1

    def count_unanswered(self, pair: Pair, refused: bool) -> None:
        """Count a request that a target has not answered, because it refused the connection or for another reason."""
        tally = self._tally(pair)
        tally.requests += 1
        tally.refused += refused

    def count_own_answer(self, load_balancer: str, status: int) -> None:
        """Count an answer of a load balancer itself."""
        self._minute().own_answers.setdefault(load_balancer, Counter())[status] += 1

    def count_hosts(self, pair: Pair, hosts: Hosts) -> None:
        """The targets of a target group may have changed."""
        if self._hosts.get(pair) == hosts:
            return
        tally = self._tally(pair)
        if not tally.hosts and pair in self._hosts:
            tally.hosts.append(self._hosts[pair])
        tally.hosts.append(hosts)
        self._hosts[pair] = hosts

    def keep(self, pairs: set[Pair]) -> None:
        """Forget the targets of all other target groups."""
        self._hosts = {pair: hosts for pair, hosts in self._hosts.items() if pair in pairs}

    def take(self, number: int) -> Minute:
        """What has happened up to the end of a minute, and was not taken yet.

        Args:
            number: Of the minute, from the epoch on.
        """
        found = self._minutes.pop(number, Minute())
        for older in [one for one in self._minutes if one < number]:
            del self._minutes[older]
        for pair in self._hosts:
            tally = found.tallies.setdefault(pair, Tally())
            if not tally.hosts:
                tally.hosts.append(self._hosts_before_changes(pair))
        return found

    def _hosts_before_changes(self, pair: Pair) -> Hosts:
        """The targets before the changes of the minutes that were not taken yet."""
        later = (self._minutes[number].tallies.get(pair) for number in sorted(self._minutes))
        return next((tally.hosts[0] for tally in later if tally and tally.hosts), self._hosts[pair])

    def _tally(self, pair: Pair) -> Tally:
        return self._minute().tallies.setdefault(pair, Tally())

    def _minute(self) -> Minute:
        number = self._clock.period_at(self._clock.now(), _MINUTE)
        return self._minutes.setdefault(number, Minute())
