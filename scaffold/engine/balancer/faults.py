"""Connections to targets that answer with errors or late, though the targets are in order."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Coroutine
from concurrent.futures import Future
from contextlib import suppress
from typing import Any

_READ_BYTES = 65536
_REASONS = {500: "Internal Server Error", 503: "Service Unavailable"}


class FaultyConnections:
    """Makes such connections. May be used from any thread.

    Args:
        loop: In which they are served.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        # The loop itself does not keep tasks alive.
        self._served: set[Future[None]] = set()

    def fail(self, status: int, latency: float) -> socket.socket:
        """A connection on which the request gets this status, after some seconds of latency."""
        near, far = _pair()
        self._serve(_answer(far, status, latency))
        return near

    def delay(self, target: socket.socket, latency: float) -> socket.socket:
        """A connection to a target whose answer comes later."""
        near, far = _pair()
        self._serve(_relay(far, target, latency))
        return near

    def _serve(self, coroutine: Coroutine[Any, Any, None]) -> None:
        served = asyncio.run_coroutine_threadsafe(coroutine, self._loop)
        self._served.add(served)
        served.add_done_callback(self._served.discard)


def _pair() -> tuple[socket.socket, socket.socket]:
    near, far = socket.socketpair()
    near.setblocking(False)
    far.setblocking(False)
    return near, far


async def _answer(far: socket.socket, status: int, latency: float) -> None:
    reader, writer = await asyncio.open_connection(sock=far)
    try:
        await reader.readuntil(b"\r\n\r\n")
        await asyncio.sleep(latency)
        writer.write(f"HTTP/1.1 {status} {_REASONS[status]}\r\ncontent-length: 0\r\n\r\n".encode())
        await writer.drain()
        while await reader.read(_READ_BYTES):  # What is left of the request, until the load balancer closes.
            pass
    except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
        pass  # The load balancer has closed the connection.
    finally:
        writer.close()


async def _relay(far: socket.socket, target: socket.socket, latency: float) -> None:
    reader, writer = await asyncio.open_connection(sock=far)
    from_target, to_target = await asyncio.open_connection(sock=target)
    sending = asyncio.create_task(_copy(reader, to_target, 0.0))
    try:
        await _copy(from_target, writer, latency)
    finally:
        sending.cancel()
        for one in (writer, to_target):
            one.close()


async def _copy(source: asyncio.StreamReader, sink: asyncio.StreamWriter, latency: float) -> None:
    """Copy everything, the first part after some seconds."""
    with suppress(OSError):
        while part := await source.read(_READ_BYTES):
            await asyncio.sleep(latency)
            latency = 0.0
            sink.write(part)
            await sink.drain()
        sink.write_eof()
