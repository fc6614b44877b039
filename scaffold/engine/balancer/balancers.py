"""All load balancers of a local AWS, in one thread with an event loop of its own."""

from __future__ import annotations

import asyncio
import itertools
import socket
import threading
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from scaffold.core.faults import Fault
from scaffold.engine.balancer.configuration import Address, Configuration, Listener
from scaffold.engine.balancer.faults import FaultyConnections
from scaffold.engine.balancer.health import TargetHealth
from scaffold.engine.balancer.proxy import Proxy
from scaffold.engine.balancer.targets import Group
from scaffold.engine.balancer.traffic import Minute, Traffic
from scaffold.engine.clock import Clock

_Result = TypeVar("_Result")
_CONNECT_SECONDS = 10.0
_CONNECTING_THREADS = 16


class Balancers:
    """Load balancers that listen on ports of 127.0.0.1. May be used from any thread.

    Args:
        clock: Passes the minutes of their traffic.
    """

    def __init__(self, clock: Clock) -> None:
        self._traffic = Traffic(clock)
        self._loop = asyncio.new_event_loop()
        self._loop.set_default_executor(ThreadPoolExecutor(_CONNECTING_THREADS, "load-balancer-connect"))
        self._regions: dict[str, Configuration] = {}
        self._groups: dict[str, Group] = {}
        self._ports: dict[str, tuple[int, asyncio.Server]] = {}
        self._routes: dict[str, Callable[[int], socket.socket]] = {}
        self._faults: dict[str, Fault] = {}
        # The requests to an IP address since it has its fault, from 1.
        self._requests: dict[str, Iterator[int]] = {}
        self._faulty = FaultyConnections(self._loop)
        self._subscribers: list[Callable[[str, Address, TargetHealth], None]] = []
        self._thread = threading.Thread(target=self._serve, name="load-balancers", daemon=True)
        self._thread.start()

    def reserve(self, load_balancer: str) -> int:
        """The port of a load balancer's first listener; it is opened if it is not open yet."""
        return self.run(self._open(load_balancer, lambda: self._first_listener(load_balancer)))

    def configure(self, region: str, configuration: Configuration) -> None:
        """Replace the configuration of a region."""
        self.run(self._configure(region, configuration))

    def port(self, group: str) -> int | None:
        """The port of a listener that sends requests to a target group; None for none."""

        async def find() -> int | None:
            return next((self._port_of(one) for one in self._listeners() if group in one.groups), None)

        return self.run(find())

    def listener_port(self, arn: str) -> int | None:
        """The port of a listener; None for one that does not answer."""

        async def find() -> int | None:
            listener = self._listener(arn)
            return self._port_of(listener) if listener else None

        return self.run(find())

    def route(self, ip: str, connect: Callable[[int], socket.socket]) -> None:
        """Reach an IP address through a function, which takes a port and returns a socket that does not block."""
        self._routes[ip] = connect

    def delete_route(self, ip: str) -> None:
        """Reach an IP address directly again."""
        self._routes.pop(ip, None)

    def set_fault(self, ip: str, fault: Fault | None) -> None:
        """Let the targets with an IP address have a fault from now on, or none."""
        if fault is None:
            self._faults.pop(ip, None)
        elif self._faults.get(ip) != fault:
            self._requests[ip] = itertools.count(1)
            self._faults[ip] = fault

    def subscribe(self, subscriber: Callable[[str, Address, TargetHealth], None]) -> None:
        """Call a function with each change of a target's state. It must not block."""
        self._subscribers.append(subscriber)

    def health(self, group: str) -> dict[Address, TargetHealth]:
        """The health of the targets of a target group, those included that are being deregistered."""

        async def read() -> dict[Address, TargetHealth]:
            found = self._groups.get(group)
            return {address: target.health for address, target in found.targets.items()} if found else {}

        return self.run(read())

    def traffic(self, minute: int) -> Minute:
        """What has happened since the last call up to the end of a minute, which is over."""

        async def read() -> Minute:
            return self._traffic.take(minute)

        return self.run(read())

    def stop(self) -> None:
        """Close all ports and connections, and end the thread."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def _serve(self) -> None:
        self._loop.run_forever()
        self._loop.run_until_complete(self._close())
        self._loop.close()

    async def _close(self) -> None:
        for _, server in self._ports.values():
            server.close()
        running = asyncio.all_tasks() - {asyncio.current_task()}
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        await self._loop.shutdown_default_executor()
        await asyncio.sleep(0)  # For the callbacks of connections that came too late.

    def run(self, coroutine: Coroutine[Any, Any, _Result]) -> _Result:
        """Run a coroutine in the event loop, and wait for its result."""
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result()

    async def _open(self, key: str, listener: Callable[[], Listener | None]) -> int:
        if key not in self._ports:
            bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            bound.bind(("127.0.0.1", 0))
            port = bound.getsockname()[1]
            proxy = Proxy(listener, self._groups.get, self._connect_request, port, self._traffic)
            self._ports[key] = (port, await asyncio.start_server(proxy.serve, sock=bound, backlog=128))
        return self._ports[key][0]

    async def _configure(self, region: str, configuration: Configuration) -> None:
        self._regions[region] = configuration
        everywhere = self._regions.values()
        groups = {group.arn: group for each in everywhere for group in each.groups}
        for arn in [arn for arn in self._groups if arn not in groups]:
            self._groups.pop(arn).delete()
        for arn, settings in groups.items():
            if arn not in self._groups:
                self._groups[arn] = Group(settings, self._connect_check, self._notify)
            self._groups[arn].configure(settings)
        balancers = {arn for each in everywhere for arn in each.load_balancers}
        others = {
            listener.arn for listener in self._listeners() if self._first_listener(listener.load_balancer) != listener
        }
        for key in [key for key in self._ports if key not in balancers | others]:
            self._ports.pop(key)[1].close()
        for arn in others:
            await self._open(arn, lambda arn=arn: self._listener(arn))  # type: ignore[misc]
        self._traffic.keep({pair for one in self._listeners() for pair in one.pairs})
        for arn in self._groups:
            self._count_hosts(arn)

    def _port_of(self, listener: Listener) -> int | None:
        first = self._first_listener(listener.load_balancer) == listener
        opened = self._ports.get(listener.load_balancer if first else listener.arn)
        return opened[0] if opened else None

    def _listeners(self) -> list[Listener]:
        """The listeners that answer; those for HTTPS do so over HTTP."""
        found = (one for each in self._regions.values() for one in each.listeners)
        return [one for one in found if one.protocol in ("HTTP", "HTTPS")]

    def _first_listener(self, load_balancer: str) -> Listener | None:
        return next((one for one in self._listeners() if one.load_balancer == load_balancer), None)

    def _listener(self, arn: str) -> Listener | None:
        return next((one for one in self._listeners() if one.arn == arn), None)

    def _connect(self, address: Address) -> socket.socket:
        ip, port = address
        if route := self._routes.get(ip):
            return route(port)
        made = socket.create_connection(address, _CONNECT_SECONDS)
        made.setblocking(False)
        return made

    def _connect_request(self, address: Address) -> socket.socket:
        """Connect for a request, which may have to fail or to come late."""
        fault = self._faults.get(address[0])
        if fault is None:
            return self._connect(address)
        if fault.fails(next(self._requests[address[0]])):
            return self._faulty.fail(500, fault.latency)
        made = self._connect(address)
        return self._faulty.delay(made, fault.latency) if fault.latency else made

    def _connect_check(self, address: Address) -> socket.socket:
        """Connect for a health check, which may have to fail."""
        fault = self._faults.get(address[0])
        return self._faulty.fail(503, 0.0) if fault and fault.unhealthy else self._connect(address)

    def _count_hosts(self, group: str) -> None:
        for listener in self._listeners():
            if group in listener.groups and group in self._groups:
                self._traffic.count_hosts((listener.load_balancer, group), self._groups[group].hosts())

    def _notify(self, group: str, address: Address, health: TargetHealth) -> None:
        self._count_hosts(group)
        for subscriber in self._subscribers:
            subscriber(group, address, health)
