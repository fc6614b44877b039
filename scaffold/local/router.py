"""One address for all services: who answers a request."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from scaffold.local.protocol import Answer, Call, Service
from scaffold.local.services.git_endpoint import GitEndpoint, Receive, Send

_SCOPE = re.compile(r"Credential=[^/]+/\d{8}/(?P<region>[a-z0-9-]+)/")


class Router:
    """The ASGI application of local AWS.

    Args:
        aws: ministack's application, which answers what nobody else does.
        services: Our stand-ins by the prefix of the `X-Amz-Target` header; one with a dot and an
            operation takes that operation alone.
        git: The Git endpoint, which answers everything that comes over TLS.
        region: The region of requests that name none.
    """

    def __init__(self, aws: Any, services: Mapping[str, Service], git: GitEndpoint, region: str) -> None:
        self._aws = aws
        self._services = services
        self._git = git
        self._region = region
        #: What tests steer local AWS with, by path: takes a method and a document.
        self.controls: dict[str, Callable[[str, Any], Answer]] = {}

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        """Pass a request on to the one who answers it."""
        if scope["type"] == "http" and scope["scheme"] == "https":
            return await self._git(scope, receive, send)
        if scope["type"] == "http":
            if control := self.controls.get(scope["path"]):
                return await _send(send, _steer(control, scope["method"], await _body(receive)))
            headers = {name.lower(): value.decode("latin-1") for name, value in scope["headers"]}
            signed = _SCOPE.search(headers.get(b"authorization", ""))
            prefix, _, operation = headers.get(b"x-amz-target", "").partition(".")
            service = self._services.get(f"{prefix}.{operation}") or self._services.get(prefix)
            if service:
                region = signed["region"] if signed else self._region
                return await _send(send, _answer(service, operation, region, await _body(receive)))
        await self._aws(scope, receive, send)
        return None


def _answer(service: Service, operation: str, region: str, body: bytes) -> Answer:
    try:
        parameters = json.loads(body or b"{}")
    except ValueError:
        parameters = None
    if not isinstance(parameters, dict):
        return Answer({"__type": "SerializationException", "message": "The body is not a JSON object"}, 400)
    return service.answer(Call(operation, parameters, region))


def _steer(control: Callable[[str, Any], Answer], method: str, body: bytes) -> Answer:
    try:
        return control(method, json.loads(body or b"{}"))
    except ValueError:
        return Answer({"message": "The body is not JSON"}, 400)


async def _body(receive: Receive) -> bytes:
    parts, more = [], True
    while more:
        message = await receive()
        parts.append(message.get("body", b""))
        more = message.get("more_body", False)
    return b"".join(parts)


async def _send(send: Send, answer: Answer) -> None:
    content = answer.content
    headers = [
        (b"content-type", b"application/x-amz-json-1.1"),
        (b"content-length", str(len(content)).encode()),
        (b"x-amzn-requestid", b"00000000-0000-0000-0000-000000000000"),
        *((name.lower().encode(), value.encode()) for name, value in answer.headers.items()),
    ]
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": content})
