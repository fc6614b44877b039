"""The references of a push are read from the beginning of its request, and the request is passed on as it was."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from scaffold.local.services.pushed_references import Unreadable, pushed_references

OLD, NEW = "0" * 40, "a" * 40
PACK = b"PACK\0\0\0\2"


def line(text: str) -> bytes:
    return f"{len(text) + 4:04x}{text}".encode()


def push(*names: str) -> bytes:
    first, *others = [f"{OLD} {NEW} {name}" for name in names]
    return line(f"{first}\0 report-status agent=git/2\n") + b"".join(line(f"{one}\n") for one in others) + b"0000"


def read(*parts: bytes) -> tuple[list[str], bytes]:
    """The references of a request in parts, and what is passed on."""
    messages = [{"type": "http.request", "body": part, "more_body": True} for part in parts]
    messages[-1]["more_body"] = False

    async def receive() -> dict[str, Any]:
        return messages.pop(0)

    async def run() -> tuple[list[str], bytes]:
        names, again = await pushed_references(receive)
        passed = b""
        while True:
            message = await again()
            passed += message["body"]
            if not message["more_body"]:
                return names, passed

    return asyncio.run(run())


@pytest.mark.parametrize("names", [("refs/tags/v1",), ("refs/heads/main", "refs/tags/v1"), ("refs/tags/\u00e4",)])
def test_wherever_the_request_is_split(names: tuple[str, ...]) -> None:
    body = push(*names) + PACK
    for position in range(len(body) + 1):
        assert read(body[:position], body[position:]) == (list(names), body)


def test_a_probe_changes_no_reference() -> None:
    """Git sends it before a large push."""
    assert read(b"0000") == ([], b"0000")


@pytest.mark.parametrize("body", [b"", b"what", push("refs/tags/v1")[:-4], line("x") * 300_000])
def test_what_cannot_be_read_is_refused(body: bytes) -> None:
    with pytest.raises(Unreadable):
        read(body)
