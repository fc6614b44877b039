"""The targets of a target group while they run: their health, their requests in progress, their deregistration."""

from __future__ import annotations

import asyncio
import itertools
import socket
import time
from collections import Counter
from collections.abc import Callable

import h11

from scaffold.engine.balancer.configuration import Address, TargetGroup
from scaffold.engine.balancer.health import FAILED, TIMED_OUT, TargetHealth, describe, observe, problem_of
from scaffold.engine.balancer.traffic import Hosts

#: Connects to a target, or raises OSError.
Connect = Callable[[Address], socket.socket]
#: Takes the target group, the target and its new health.
Notify = Callable[[str, Address, TargetHealth], None]

_STARTING_PAUSE = 1.0
_READ_BYTES = 65536


class Target:
    """A registered target, or one that is being deregistered."""

    def __init__(self) -> None:
        self.health = describe("initial")
        self.requests = 0
        self.checking: asyncio.Task[None] | None = None
        self.expiry: asyncio.TimerHandle | None = None


class Group:
    """A target group. All methods run in the event loop of the load balancers."""

    def __init__(self, settings: TargetGroup, connect: Connect, notify: Notify) -> None:
        self.settings = settings
        self.targets: dict[Address, Target] = {}
        self._connect = connect
        self._notify = notify
        self._turn = itertools.count()

    def configure(self, settings: TargetGroup) -> None:
        """Register and deregister targets, as far as the settings differ from what is there."""
        self.settings = settings
        for address in settings.targets:
            target = self.targets.get(address)
            if target is None or target.health.state == "draining":
                self._remove(address)
                self._add(address)
        for address, target in list(self.targets.items()):
            if address not in settings.targets and target.health.state != "draining":
                self._drain(address, target)

    def delete(self) -> None:
        """Forget all targets."""
        for address in list(self.targets):
            self._remove(address)

    def choose(self) -> Address | None:
        """The target for a request, in turn; if none is healthy, all registered ones are chosen from."""
        registered = [(a, t) for a, t in sorted(self.targets.items()) if t.health.state != "draining"]
        healthy = [address for address, target in registered if target.health.state == "healthy"]
        candidates = healthy or [address for address, _ in registered]
        return candidates[next(self._turn) % len(candidates)] if candidates else None

    def hosts(self) -> Hosts:
        """How many targets are registered, and how many of them are healthy and unhealthy."""
        states = Counter(target.health.state for target in self.targets.values())
        return Hosts(states.total() - states["draining"], states["healthy"], states["unhealthy"])

    def begin(self, address: Address) -> Target:
        """Count a request to a target."""
        target = self.targets[address]
        target.requests += 1
        return target

    def end(self, address: Address, target: Target) -> None:
        """A request has ended; the last one ends the deregistration of its target."""
        target.requests -= 1
        if target.requests == 0 and target.health.state == "draining" and self.targets.get(address) is target:
            self._remove(address)

    def _add(self, address: Address) -> None:
        target = self.targets[address] = Target()
        target.checking = asyncio.get_running_loop().create_task(self._check(address, target))

    def _drain(self, address: Address, target: Target) -> None:
        if target.checking:
            target.checking.cancel()
        if target.requests == 0:
            self._remove(address)
            return
        self._set(address, target, describe("draining"))
        target.expiry = asyncio.get_running_loop().call_later(self.settings.delay, self._remove, address)

    def _remove(self, address: Address) -> None:
        target = self.targets.pop(address, None)
        if target is None:
            return
        if target.checking:
            target.checking.cancel()
        if target.expiry:
            target.expiry.cancel()
        self._notify(self.settings.arn, address, describe("unused"))

    def _set(self, address: Address, target: Target, health: TargetHealth) -> None:
        changed = health.state != target.health.state
        target.health = health
        if changed:
            self._notify(self.settings.arn, address, health)

    async def _check(self, address: Address, target: Target) -> None:
        """Check a target again and again. It is checked each second until the first success."""
        while True:
            begun = time.monotonic()
            checks = self.settings.checks
            if self.settings.in_use:
                if target.health.state == "unused":
                    self._set(address, target, describe("initial"))
                problem = await self._problem(address)
                self._set(address, target, observe(target.health, problem, checks, time.monotonic()))
            else:
                self._set(address, target, describe("unused"))
            waiting = target.health.state in ("initial", "unused")
            pause = min(_STARTING_PAUSE, checks.interval) if waiting else checks.interval
            await asyncio.sleep(max(0.0, begun + pause - time.monotonic()))

    async def _problem(self, address: Address) -> tuple[str, str] | None:
        checks = self.settings.checks
        where = address if checks.port == "traffic-port" else (address[0], int(checks.port))
        try:
            async with asyncio.timeout(checks.timeout):
                return problem_of(await self._status(where), checks)
        except TimeoutError:
            return TIMED_OUT
        except (OSError, h11.ProtocolError, EOFError):
            return FAILED

    async def _status(self, address: Address) -> int:
        """The status code of a health check request."""
        reader, writer = await open_connection(self._connect, address)
        try:
            connection = h11.Connection(h11.CLIENT)
            headers = [("Host", f"{address[0]}:{address[1]}"), ("User-Agent", "ELB-HealthChecker/2.0")]
            headers += [("Connection", "close"), ("Accept-Encoding", "gzip, compressed")]
            request = h11.Request(method="GET", target=self.settings.checks.path, headers=headers)
            writer.write((connection.send(request) or b"") + (connection.send(h11.EndOfMessage()) or b""))
            while True:
                event = connection.next_event()
                if event is h11.NEED_DATA:
                    connection.receive_data(await reader.read(_READ_BYTES))
                elif isinstance(event, h11.Response):
                    return event.status_code
                elif isinstance(event, h11.ConnectionClosed):
                    raise EOFError
        finally:
            writer.close()


async def open_connection(connect: Connect, address: Address) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Connect to a target. Raises OSError if that fails."""
    connecting = asyncio.get_running_loop().run_in_executor(None, connect, address)
    try:
        made = await asyncio.shield(connecting)
    except asyncio.CancelledError:
        connecting.add_done_callback(_close_result)
        raise
    try:
        return await asyncio.open_connection(sock=made)
    except BaseException:
        made.close()
        raise


def _close_result(connecting: asyncio.Future[socket.socket]) -> None:
    """Close a connection that came too late."""
    if not connecting.cancelled() and connecting.exception() is None:
        connecting.result().close()
