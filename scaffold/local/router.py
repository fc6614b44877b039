"""Routes the requests of local AWS's one endpoint: to our APIs, the Git endpoint or ministack."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import unquote, urlsplit

from scaffold.local import ministack_bridge
from scaffold.local.credentials import ACCESS_KEY
from scaffold.local.permissions.answers import Answer
from scaffold.local.permissions.api_requests import ApiRequest
from scaffold.local.permissions.guard import Guard
from scaffold.local.protocol import ROOT, AwsService, Call, Response
from scaffold.local.services.git_endpoint import GitEndpoint, Receive, Send

# The signature of local AWS's own requests, which nothing verifies.
_ROOT = f"AWS4-HMAC-SHA256 Credential={ACCESS_KEY}/20000101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0"


class Router:
    """The ASGI application of local AWS.

    Args:
        ministack: ministack's application, for all requests that nothing else matches.
        services: Our APIs by the prefix of the `X-Amz-Target` header, or by the name in signatures for those of REST. A
            key that also has an operation, after a dot, matches that operation only.
        git: The Git endpoint, for all requests over TLS.
        region: The region of unsigned requests.
        guard: Checks the calls of roles; without it there are no roles that call.
    """

    def __init__(
        self,
        ministack: Any,
        services: Mapping[str, AwsService],
        git: GitEndpoint,
        region: str,
        guard: Guard | None = None,
    ) -> None:
        self._ministack = ministack
        self._services = services
        self._git = git
        self._region = region
        self._guard = guard
        #: Endpoints outside AWS's APIs, by path. Each takes an HTTP method and a JSON document.
        self.controls: dict[str, Callable[[str, Any], Response]] = {}

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        """Pass a request on."""
        if scope["type"] == "http" and scope["scheme"] == "https":
            return await self._git(scope, receive, send)
        if scope["type"] == "http":
            if control := self.controls.get(scope["path"]):
                return await _send(send, _call_control(control, scope["method"], await _body(receive)))
            headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
            request = ApiRequest.read(scope["method"], scope["path"], scope["query_string"].decode("latin-1"), headers)
            if self._guard and self._guard.concerns(request):
                body = await _body(receive)
                if answer := await self._guard.answer(replace(request, body=body), self._ask):
                    return await _send(send, answer)
                receive = _received(body, receive)
            target = headers.get("x-amz-target") or f"{request.service}.{request.operation}"
            prefix, _, operation = target.partition(".")
            service = self._services.get(f"{prefix}.{operation}") or self._services.get(prefix)
            if service:
                call = Call(operation, {}, request.region or self._region, caller=self._caller(request.access_key))
                return await _send(send, _call_service(service, call, await _body(receive)))
        await self._ministack(scope, receive, send)
        return None

    def _caller(self, access_key: str) -> str:
        """The ARN of who calls with an access key."""
        session = self._guard.session_of(access_key) if self._guard else None
        return session.arn if session else ministack_bridge.caller_arn(access_key) or ROOT

    async def _ask(self, method: str, path: str) -> tuple[dict[str, str], bytes]:
        """Ask ministack's S3 without permissions: the headers and the body of its response."""
        found, headers, content = urlsplit(path), {}, bytearray()
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "scheme": "http",
            "method": method,
            "path": unquote(found.path),
            "raw_path": found.path.encode(),
            "query_string": found.query.encode(),
            "headers": [(b"host", b"127.0.0.1"), (b"authorization", _ROOT.encode())],
        }

        async def send(message: dict[str, Any]) -> None:
            headers.update({name.decode().lower(): value.decode() for name, value in message.get("headers", [])})
            content.extend(message.get("body", b""))

        await self._ministack(scope, _received(b"", _disconnected), send)
        return headers, bytes(content)


def _call_service(service: AwsService, call: Call, body: bytes) -> Response:
    try:
        parameters = json.loads(body or b"{}")
    except ValueError:
        parameters = None
    if not isinstance(parameters, dict):
        return Response({"__type": "SerializationException", "message": "The body is not a JSON object"}, 400)
    return service.respond(replace(call, parameters=parameters))


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


def _received(body: bytes, then: Receive) -> Receive:
    """What receives a body that has been read already, and afterwards what else arrives."""
    messages = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> dict[str, Any]:
        return messages.pop() if messages else await then()

    return receive


async def _disconnected() -> dict[str, Any]:
    return {"type": "http.disconnect"}


async def _send(send: Send, response: Response | Answer) -> None:
    content = response.content
    headers = {
        "content-type": "application/x-amz-json-1.1",
        "content-length": str(len(content)),
        "x-amzn-requestid": "00000000-0000-0000-0000-000000000000",
        **{name.lower(): value for name, value in response.headers.items()},
    }
    encoded = [(name.encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": response.status, "headers": encoded})
    await send({"type": "http.response.body", "body": content})
