"""The references that a push changes, from the beginning of its request, which is passed on unread.

A request to git-receive-pack begins with a line for each reference, in the format of Git's pack protocol, and a flush.
https://git-scm.com/docs/pack-protocol
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from typing import Any

Receive = Callable[[], Awaitable[dict[str, Any]]]

# Git's own limit of a line is 65,520 bytes. A push of more references than these bytes can name is refused.
_LONGEST = 1 << 20
_LENGTH = 4
_COMMAND = re.compile(rb"[0-9a-f]{40,64} [0-9a-f]{40,64} (?P<name>[^\0\n]+)")


class Unreadable(Exception):
    """The beginning of the request names no references that can be read."""


async def pushed_references(receive: Receive) -> tuple[list[str], Receive]:
    """The names of the references, and a function that returns the whole request in place of `receive`.

    Raises:
        Unreadable: They cannot be read.
    """
    messages: list[dict[str, Any]] = []
    body = b""
    while (names := _names(body)) is None:
        message = await receive()
        messages.append(message)
        body += message.get("body", b"")
        if message["type"] != "http.request" or len(body) > _LONGEST:
            raise Unreadable
        if not message.get("more_body", False) and (names := _names(body)) is None:
            raise Unreadable
        if names is not None:
            break

    async def replay() -> dict[str, Any]:
        return messages.pop(0) if messages else await receive()

    return names, replay


def _names(body: bytes) -> list[str] | None:
    """The names before the flush; None if more has to be read."""
    names: list[str] = []
    position = 0
    while len(body) >= position + _LENGTH:
        try:
            length = int(body[position : position + _LENGTH], 16)
        except ValueError:
            raise Unreadable from None
        if length == 0:
            return names
        line = body[position + _LENGTH : position + length]
        if len(line) < length - _LENGTH:
            return None
        if found := _COMMAND.match(line):
            names.append(found["name"].decode("utf-8", "replace"))
        position += max(length, _LENGTH)
    return None
