"""Routes the requests of local AWS's one endpoint: to our APIs, the Git endpoint or ministack."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from scaffold.local.protocol import AwsService, Call, Response
from scaffold.local.services.git_endpoint import GitEndpoint, Receive, Send

_SIGNED_REGION = re.compile(r"Credential=[^/]+/\d{8}/(?P<region>[a-z0-9-]+)/")


class Router:
    """The ASGI application of local AWS.

    Args:
        ministack: ministack's application, for all requests that nothing else matches.
        services: Our APIs by the prefix of the `X-Amz-Target` header. A key that also has an operation, after a
            dot, matches that operation only.
        git: The Git endpoint, for all requests over TLS.
        region: The region of unsigned requests.
    """

    def __init__(self, ministack: Any, services: Mapping[str, AwsService], git: GitEndpoint, region: str) -> None:
        self._ministack = ministack
        self._services = services
        self._git = git
        self._region = region
        #: Endpoints outside AWS's APIs, by path. Each takes an HTTP method and a JSON document.
        self.controls: dict[str, Callable[[str, Any], Response]] = {}

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        """Pass a request on."""
        if scope["type"] == "http" and scope["scheme"] == "https":
            return await self._git(scope, receive, send)
        if scope["type"] == "http":
            if control := self.controls.get(scope["path"]):
                return await _send(send, _call_control(control, scope["method"], await _body(receive)))
            headers = {name.lower(): value.decode("latin-1") for name, value in scope["headers"]}
            prefix, _, operation = headers.get(b"x-amz-target", "").partition(".")
            service = self._services.get(f"{prefix}.{operation}") or self._services.get(prefix)
            if service:
                signed = _SIGNED_REGION.search(headers.get(b"authorization", ""))
                region = signed["region"] if signed else self._region
                return await _send(send, _call_service(service, operation, region, await _body(receive)))
        await self._ministack(scope, receive, send)
        return None


def _call_service(service: AwsService, operation: str, region: str, body: bytes) -> Response:
    try:
        parameters = json.loads(body or b"{}")
    except ValueError:
        parameters = None
    if not isinstance(parameters, dict):
        return Response({"__type": "SerializationException", "message": "The body is not a JSON object"}, 400)
    return service.respond(Call(operation, parameters, region))


def _call_control(control: Callable[[str, Any], Response], method: str, body: bytes) -> Response:
    try:
        return control(method, json.loads(body or b"{}"))
    except ValueError:
        return Response({"message": "The body is not JSON"}, 400)


async def _body(receive: Receive) -> bytes:
    parts, more = [], True
    while more:
        message = await receive()
        parts.append(message.get("body", b""))
        more = message.get("more_body", False)
    return b"".join(parts)


async def _send(send: Send, response: Response) -> None:
    content = response.content
    headers = [
        (b"content-type", b"application/x-amz-json-1.1"),
        (b"content-length", str(len(content)).encode()),
        (b"x-amzn-requestid", b"00000000-0000-0000-0000-000000000000"),
        *((name.lower().encode(), value.encode()) for name, value in response.headers.items()),
    ]
    await send({"type": "http.response.start", "status": response.status, "headers": headers})
    await send({"type": "http.response.body", "body": content})
