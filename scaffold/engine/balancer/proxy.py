"""Serves the connections of a listener: reads requests, asks for the action, answers or forwards."""

from __future__ import annotations

import asyncio
import random
import secrets
import time
from collections.abc import Callable
from typing import Any

import h11

from scaffold.engine.balancer.configuration import Listener
from scaffold.engine.balancer.rules import Request, choose_group, matching, redirect_to
from scaffold.engine.balancer.targets import Connect, Group, open_connection
from scaffold.engine.balancer.traffic import Pair, Traffic

_IDLE_SECONDS = 60.0
_CONNECT_SECONDS = 10.0
_READ_BYTES = 65536
_MOST_HEADER_BYTES = 65536
_BETWEEN_HOPS = {
    b"connection",
    b"keep-alive",
    b"proxy-authenticate",
    b"proxy-authorization",
    b"proxy-connection",
    b"te",
    b"trailer",
    b"transfer-encoding",
    b"upgrade",
}
_TITLES = {
    400: "Bad Request",
    404: "Not Found",
    500: "Internal Server Error",
    501: "Not Implemented",
    502: "Bad Gateway",
    503: "Service Temporarily Unavailable",
    504: "Gateway Time-out",
}

Headers = list[tuple[bytes, bytes]]


class Proxy:
    """A port of a load balancer.

    Args:
        listener: Returns the listener that the port belongs to now, if there is one.
        group: Returns a target group by its ARN.
        connect: Connects to a target.
        traffic: Counts what happens.
    """

    def __init__(
        self,
        listener: Callable[[], Listener | None],
        group: Callable[[str], Group | None],
        connect: Connect,
        port: int,
        traffic: Traffic,
    ) -> None:
        self._listener = listener
        self._group = group
        self._connect = connect
        self._port = port
        self._traffic = traffic

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection of a client."""
        client = _Client(reader, writer, self._count_own_answer)
        try:
            while (event := await client.request()) is not None:
                body = await client.body()
                listener = self._listener()
                if listener is None:
                    break
                await self._answer(client, listener, event, body)
                if not client.next_cycle():
                    break
        except h11.RemoteProtocolError:
            await client.fail(400)
        except (OSError, TimeoutError, h11.LocalProtocolError):
            pass  # The client or the target has gone away in mid-response.
        except asyncio.CancelledError:
            pass  # The load balancers are stopping.
        finally:
            writer.close()

    def _count_own_answer(self, status: int) -> None:
        if listener := self._listener():
            self._traffic.count_own_answer(listener.load_balancer, status)

    async def _answer(self, client: _Client, listener: Listener, event: h11.Request, body: bytes) -> None:
        headers = {name.decode().lower(): value.decode("latin-1") for name, value in event.headers}
        request = Request(event.method.decode(), event.target.decode("latin-1"), headers, client.address)
        if "upgrade" in headers.get("connection", "").lower():
            return await client.answer(501, "text/plain", b"not rehearsed: WebSocket connections\n")
        rule = matching(listener.rules, request)
        if rule is None:
            return await client.fail(503)
        action: Any = max(rule.actions, key=lambda one: one.get("Order", 0))
        match action["Type"]:
            case "fixed-response":
                given = action["FixedResponseConfig"]
                content = str(given.get("MessageBody", "")).encode()
                return await client.answer(int(given["StatusCode"]), given.get("ContentType", "text/plain"), content)
            case "redirect":
                status, location = redirect_to(action, request, self._port)
                return await client.answer(status, "text/html", b"", [(b"location", location.encode())])
            case "forward":
                group = self._group(choose_group(action, random.random()) or "")  # noqa: S311
                return await self._forward(client, listener, group, event, body)
        text = f"not rehearsed: the action {action['Type']} of a listener\n"
        return await client.answer(501, "text/plain", text.encode())

    async def _forward(
        self, client: _Client, listener: Listener, group: Group | None, event: h11.Request, body: bytes
    ) -> None:
        address = group.choose() if group else None
        if group is None or address is None:
            return await client.fail(503)
        target = group.begin(address)
        pair = listener.load_balancer, group.settings.arn
        try:
            try:
                async with asyncio.timeout(_CONNECT_SECONDS):
                    reader, writer = await open_connection(self._connect, address)
            except (TimeoutError, OSError) as error:
                self._traffic.count_unanswered(pair, refused=True)
                return await client.fail(504 if isinstance(error, TimeoutError) else 502)
            try:
                headers = _forwarded(event.headers, client.address, listener)
                await self._exchange(client, reader, writer, event, headers, body, pair)
            finally:
                writer.close()
        finally:
            group.end(address, target)
        return None

    async def _exchange(
        self,
        client: _Client,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        event: h11.Request,
        headers: Headers,
        body: bytes,
        pair: Pair,
    ) -> None:
        """Send a request to a target, and pass its response on."""
        upstream = h11.Connection(h11.CLIENT, max_incomplete_event_size=_MOST_HEADER_BYTES)
        headers = [*headers, (b"content-length", str(len(body)).encode())] if body else headers
        parts: list[Any] = [h11.Request(method=event.method, target=event.target, headers=headers)]
        parts += [h11.Data(body)] if body else []
        answered = False
        try:
            for part in (*parts, h11.EndOfMessage()):
                writer.write(upstream.send(part) or b"")
            sent = time.monotonic()
            while True:
                received = upstream.next_event()
                if received is h11.NEED_DATA:
                    async with asyncio.timeout(_IDLE_SECONDS):
                        upstream.receive_data(await reader.read(_READ_BYTES))
                elif isinstance(received, h11.Response):
                    kept = [(name, value) for name, value in received.headers if name not in _BETWEEN_HOPS]
                    answered = True
                    status, reason = received.status_code, received.reason
                    self._traffic.count_answer(pair, status, time.monotonic() - sent)
                    await client.send(h11.Response(status_code=status, headers=kept, reason=reason))
                elif isinstance(received, h11.Data):
                    await client.send(h11.Data(bytes(received.data)))
                elif isinstance(received, h11.EndOfMessage):
                    return await client.send(h11.EndOfMessage())
                elif isinstance(received, h11.ConnectionClosed):
                    raise h11.RemoteProtocolError("closed")
        except TimeoutError:
            if answered:
                raise
            self._traffic.count_unanswered(pair, refused=False)
            return await client.fail(504)
        except (h11.ProtocolError, ConnectionError) as error:
            if answered:
                raise ConnectionResetError from error
            self._traffic.count_unanswered(pair, refused=False)
            return await client.fail(502)


def _forwarded(headers: Any, client: str, listener: Listener) -> Headers:
    """The headers of a request for its target."""
    kept = [(name, value) for name, value in headers if name not in _BETWEEN_HOPS and name != b"content-length"]
    before = [value for name, value in kept if name == b"x-forwarded-for"]
    own = {
        b"x-forwarded-for": b", ".join([*before, client.encode()]),
        b"x-forwarded-proto": listener.protocol.lower().encode(),
        b"x-forwarded-port": str(listener.port).encode(),
    }
    if not any(name == b"x-amzn-trace-id" for name, _ in kept):
        own[b"x-amzn-trace-id"] = f"Root=1-{int(time.time()):08x}-{secrets.token_hex(12)}".encode()
    return [(name, value) for name, value in kept if name not in own] + list(own.items())


class _Client:
    """The connection of a client.

    Args:
        answering: Called with the status of each response of the load balancer's own.
    """

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, answering: Callable[[int], None]
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._connection = h11.Connection(h11.SERVER, max_incomplete_event_size=_MOST_HEADER_BYTES)
        self.address = str(writer.get_extra_info("peername")[0])
        self._answering = answering

    async def request(self) -> h11.Request | None:
        """The next request; None when the client has closed the connection or is idle for too long."""
        try:
            event = await self._event()
        except TimeoutError:
            return None
        return event if isinstance(event, h11.Request) else None

    async def body(self) -> bytes:
        """The whole body of a request."""
        if self._connection.they_are_waiting_for_100_continue:
            await self.send(h11.InformationalResponse(status_code=100, headers=[]))
        parts = []
        while isinstance(event := await self._event(), h11.Data):
            parts.append(bytes(event.data))
        return b"".join(parts)

    async def _event(self) -> Any:
        while (event := self._connection.next_event()) is h11.NEED_DATA:
            async with asyncio.timeout(_IDLE_SECONDS):
                self._connection.receive_data(await self._reader.read(_READ_BYTES))
        return event

    async def send(self, event: Any) -> None:
        """Send a part of a response."""
        self._writer.write(self._connection.send(event) or b"")
        await self._writer.drain()

    async def answer(self, status: int, kind: str, body: bytes, headers: Headers | None = None) -> None:
        """Send a response of the load balancer's own."""
        self._answering(status)
        fields = [(b"server", b"awselb/2.0"), (b"content-type", kind.encode())]
        fields += [(b"content-length", str(len(body)).encode()), *(headers or [])]
        await self.send(h11.Response(status_code=status, headers=fields))
        await self.send(h11.Data(body))
        await self.send(h11.EndOfMessage())

    async def fail(self, status: int) -> None:
        """Send an error in the form of an Application Load Balancer."""
        title = f"{status} {_TITLES[status]}"
        page = f"<html>\r\n<head><title>{title}</title></head>\r\n<body>\r\n<center><h1>{title}</h1></center>\r\n"
        try:
            await self.answer(status, "text/html", f"{page}</body>\r\n</html>\r\n".encode())
        except h11.LocalProtocolError:  # Part of another response has been sent.
            return

    def next_cycle(self) -> bool:
        """Whether the connection can carry another request."""
        if self._connection.our_state is not h11.DONE or self._connection.their_state is not h11.DONE:
            return False
        self._connection.start_next_cycle()
        return True
