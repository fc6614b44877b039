"""Lets a task reach local AWS from its own network namespace, where a socket listens on local AWS's port."""

from __future__ import annotations

import asyncio
import functools
import socket

_READ_BYTES = 65536


async def open_relay(listener: socket.socket, host: str, port: int) -> asyncio.Server:
    """Connect each connection that a socket accepts with a host and port."""
    return await asyncio.start_server(functools.partial(_relay, host, port), sock=listener)


async def close_relay(server: asyncio.Server) -> None:
    """Close the socket."""
    server.close()


async def _relay(host: str, port: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        other_reader, other_writer = await asyncio.open_connection(host, port)
    except OSError:
        writer.close()
        return
    await asyncio.gather(_copy(reader, other_writer), _copy(other_reader, writer))


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(_READ_BYTES):
            writer.write(data)
            await writer.drain()
    except OSError:
        pass
    finally:
        writer.close()
